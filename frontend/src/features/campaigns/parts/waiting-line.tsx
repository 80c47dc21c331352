/** Why a campaign does not go on with some devices, and what comes next; each part shows its devices. */
import type { Campaign } from "@/api/types";
import { StateIcon } from "@/components/ui/chips";
import { t } from "@/lib/texts.en";
import { heldBack, type Wait } from "../waits";

interface Props {
  campaign: Campaign;
  chosen: Wait | null;
  onChoose: (wait: Wait | null) => void;
}

export function WaitingLine({ campaign, chosen, onChoose }: Props) {
  const parts = heldBack(campaign);
  if (parts.length === 0) return null;
  return (
    <p className="mt-4 flex items-baseline gap-2 border-t border-line pt-3 text-xs text-ink-2">
      <span className="self-start">
        <StateIcon status="PENDING" />
      </span>
      <span>
        {parts.map(({ wait, n }, place) => {
          const [who, next] = t.heldBack[wait](n);
          return (
            <span key={wait}>
              {place > 0 && " · "}
              <button type="button" aria-pressed={chosen === wait} onClick={() => onChoose(chosen === wait ? null : wait)} className="rounded font-medium text-ink underline decoration-line-strong underline-offset-2 hover:decoration-ink">
                {who}
              </button>
              {campaign.status === "RUNNING" && `: ${next}`}
            </span>
          );
        })}
      </span>
    </p>
  );
}
