/** What the address of a firmware file answered, and the question before something is saved with one that may be wrong. */
import { CircleCheck, CircleHelp, TriangleAlert } from "lucide-react";
import { useState } from "react";
import type { Address, AddressWarning, FileToFind } from "@/api/types";
import { cn } from "@/lib/cn";
import { t } from "@/lib/texts.en";
import { useLook } from "./queries";

/** One line: the file is there, or what is wrong. What was not asked is no fault. */
export function AddressLine({ address }: { address: Pick<Address, "checked_at" | "warning"> }) {
  const { warning, checked_at } = address;
  const unknown = warning?.code === "not_checked";
  const Icon = !warning ? CircleCheck : unknown ? CircleHelp : TriangleAlert;
  return (
    <span className={cn("flex items-start gap-1.5", !warning ? "text-success-text" : unknown ? "text-ink-3" : "text-failed-text")}>
      <Icon aria-hidden className="mt-0.5 size-3.5 shrink-0" />
      <span className="min-w-0 break-words">{warning ? t.firmware.address.asked(warning.detail, checked_at ?? null) : t.firmware.address.found(checked_at ?? "")}</span>
    </span>
  );
}

export function AddressQuestion({ warning }: { warning: AddressWarning }) {
  return (
    <div role="alert" className="rounded-lg bg-failed-tint px-3 py-2.5 text-[13px] text-failed-text">
      <p className="flex items-center gap-2 font-medium"><TriangleAlert aria-hidden className="size-4 shrink-0" /> {t.firmware.address.warning}</p>
      <p className="mt-1 break-words">{t.sentence(warning.detail)}</p>
    </div>
  );
}

const named = (file: FileToFind) => `${file.file_size_bytes} ${file.file_url}`;

/**
 * Asks an address once before it is saved. `warning`: what is wrong with `file`, once it was asked; saving the same file
 * again goes through.
 */
export function useAskFirst() {
  const look = useLook();
  const [known, setKnown] = useState<{ of: string; warning: AddressWarning } | null>(null);
  const ask = (file: FileToFind, save: () => void, refused: (error: Error) => void) => {
    if (known?.of === named(file)) return save();
    look.mutate(file, {
      onSuccess: ({ warning }) => {
        const wrong = warning && warning.code !== "not_checked";
        setKnown(wrong ? { of: named(file), warning } : null);
        if (!wrong) save();
      },
      onError: refused,
    });
  };
  const about = (file: FileToFind) => (known?.of === named(file) ? known.warning : null);
  return { ask, about, asking: look.isPending, error: look.error };
}
