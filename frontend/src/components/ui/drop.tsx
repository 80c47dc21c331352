/** A place to drop a file onto, or to choose one by keyboard or mouse. */
import { Upload } from "lucide-react";
import { useId, useState, type DragEvent } from "react";
import { cn } from "@/lib/cn";

interface Props {
  label: string;
  hint?: string;
  accept?: string;
  onFile: (file: File) => void;
}

export function Drop({ label, hint, accept, onFile }: Props) {
  const id = useId();
  const [over, setOver] = useState(false);
  const dropped = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const file = event.dataTransfer.files[0];
    if (file) onFile(file);
  };
  return (
    <label
      htmlFor={id}
      onDragOver={(event) => (event.preventDefault(), setOver(true))}
      onDragLeave={() => setOver(false)}
      onDrop={dropped}
      className={cn(
        "flex cursor-pointer flex-col items-center rounded-xl border border-dashed px-6 py-7 text-center transition-colors has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent",
        over ? "border-primary bg-neutral-tint" : "border-line-strong bg-sunken hover:border-ink-3",
      )}
    >
      <Upload aria-hidden className="mb-2.5 size-5 text-ink-3" />
      <span className="text-[13px] font-medium">{label}</span>
      {hint && <span className="mt-1 max-w-110 text-xs text-ink-3">{hint}</span>}
      <input
        id={id}
        type="file"
        accept={accept}
        className="sr-only"
        onChange={(event) => {
          const file = event.target.files?.[0];
          event.target.value = "";
          if (file) onFile(file);
        }}
      />
    </label>
  );
}
