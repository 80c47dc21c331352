/** Asks before a gate is passed, with room for a reason, which the timeline keeps. */
import { useState, type FormEvent } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { TextField } from "@/components/ui/form";
import { t } from "@/lib/texts.en";

/** The API takes no longer one. */
const LONGEST = 500;

export function ReasonField({ value, onChange, needed = false }: { value: string; onChange: (reason: string) => void; needed?: boolean }) {
  return <TextField label={needed ? t.why.label : `${t.why.label} (${t.optional})`} required={needed} hint={t.why.hint} maxLength={LONGEST} autoComplete="off" value={value} onChange={(event) => onChange(event.target.value)} />;
}

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  says: string;
  go: string;
  busy: boolean;
  /** Without a reason the server refuses. */
  needed?: boolean;
  onGo: (reason: string) => void;
}

export function ReasonDialog({ open, onOpenChange, title, says, ...form }: Props) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={title} hint={says}>
      <ReasonForm {...form} cancel={() => onOpenChange(false)} />
    </Dialog>
  );
}

function ReasonForm({ go, busy, needed = false, onGo, cancel }: Pick<Props, "go" | "busy" | "needed" | "onGo"> & { cancel: () => void }) {
  const [reason, setReason] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onGo(reason);
  };
  return (
    <form onSubmit={submit}>
      <ReasonField value={reason} onChange={setReason} needed={needed} />
      <div className="mt-5 flex justify-end gap-2">
        <Button onClick={cancel}>{t.cancel}</Button>
        <Button kind="primary" type="submit" disabled={busy || (needed && reason.trim() === "")}>
          {go}
        </Button>
      </div>
    </form>
  );
}
