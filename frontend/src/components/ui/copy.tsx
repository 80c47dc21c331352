import { Check, Copy as CopyIcon } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { t } from "@/lib/texts.en";
import { Button } from "./button";

export function Copy({ value, label }: { value: string; label: string }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
    } catch {
      toast.error(t.copyRefused);
      return;
    }
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return (
    <Button kind="quiet" size="small-icon" aria-label={label} title={label} onClick={() => void copy()}>
      {done ? <Check aria-hidden className="size-3.5!" /> : <CopyIcon aria-hidden className="size-3.5!" />}
    </Button>
  );
}
