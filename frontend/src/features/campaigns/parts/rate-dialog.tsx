import { useState, type FormEvent } from "react";
import { asRefusal } from "@/api/problem";
import type { Campaign } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { TextField } from "@/components/ui/form";
import { t } from "@/lib/texts.en";
import { useChangeRate } from "../queries";
import { heldBackInAll } from "../waits";

const MOST = 600_000;

interface Props {
  campaign: Campaign;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

export function RateDialog(props: Props) {
  return (
    <Dialog open={props.open} onOpenChange={props.onOpenChange} title={t.rate.title} hint={t.rate.hint}>
      <RateForm {...props} />
    </Dialog>
  );
}

function RateForm({ campaign, onOpenChange }: Props) {
  const [text, setText] = useState(String(campaign.stages[campaign.current_stage]?.rollout_rate ?? campaign.rollout_rate));
  const change = useChangeRate(campaign);
  const rate = Number(text);
  const valid = Number.isInteger(rate) && rate >= 1 && rate <= MOST;
  const held = heldBackInAll(campaign);
  const waiting = Math.max(0, (campaign.status_breakdown.PENDING ?? 0) - held);
  const hints = [waiting > 0 && t.rate.remaining(waiting, (60 * waiting) / rate), held > 0 && t.rate.heldBack(held)].filter(Boolean);
  const refused = change.error ? asRefusal(change.error) : null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (valid) change.mutate(rate, { onSuccess: () => onOpenChange(false) });
  };
  return (
    <form onSubmit={submit} noValidate>
      <TextField
        label={t.rate.label}
        unit={t.rate.unit}
        inputMode="numeric"
        value={text}
        onChange={(event) => setText(event.target.value.trim())}
        error={valid ? (refused?.fields[0]?.detail ?? refused?.detail) : t.rate.whole}
        hint={hints.join(" ") || undefined}
      />
      <div className="mt-5 flex justify-end gap-2">
        <Button onClick={() => onOpenChange(false)}>{t.cancel}</Button>
        <Button kind="primary" type="submit" disabled={!valid || change.isPending}>
          {t.rate.go}
        </Button>
      </div>
    </form>
  );
}
