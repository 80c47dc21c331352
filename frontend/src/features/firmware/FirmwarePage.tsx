/** Firmware versions: register, look at, put right, withdraw. */
import { Package, PencilLine, Plus, Rocket, SearchX, Undo2 } from "lucide-react";
import { useRef, useState } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";
import { toast } from "sonner";
import { asRefusal } from "@/api/problem";
import type { Firmware } from "@/api/types";
import { useMay } from "@/app/session";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { CampaignState, Chip } from "@/components/ui/chips";
import { Copy } from "@/components/ui/copy";
import { AlertDialog, Sheet } from "@/components/ui/dialog";
import { FormError, SearchInput, TextField } from "@/components/ui/form";
import { PageHead } from "@/components/ui/page";
import { Empty, Failure, Loading, Skeleton } from "@/components/ui/states";
import { Cell, Head, HeadCell, Row, Table, WHOLE_ROW } from "@/components/ui/table";
import { cn } from "@/lib/cn";
import { bytes, exactly, moment } from "@/lib/format";
import { useRested } from "@/lib/live/use-live";
import { t } from "@/lib/texts.en";
import { AddressLine } from "./address";
import { EditDialog } from "./EditDialog";
import { useCheck, useFirmware, useOneFirmware, useUsage, useWithdraw } from "./queries";
import { RegisterDialog } from "./RegisterDialog";

export default function FirmwarePage() {
  const [address, setAddress] = useSearchParams();
  const [search, setSearch] = useState(address.get("search") ?? "");
  const rested = useRested(search.trim());
  const list = useFirmware(rested);
  const may = useMay();
  const set = (name: string, value: string | null) =>
    setAddress((before) => {
      const after = new URLSearchParams(before);
      if (value) after.set(name, value);
      else after.delete(name);
      return after;
    }, { replace: true });
  const register = may.operate && (
    <Button kind="primary" onClick={() => set("register", "1")}>
      <Plus aria-hidden /> {t.firmware.register}
    </Button>
  );
  const all = list.data?.pages.flatMap((page) => page.firmware_versions) ?? [];
  const open = Number(address.get("open")) || null;
  return (
    <>
      <PageHead title={t.firmware.title} under={t.firmware.under} actions={register} />
      <SearchInput label={t.firmware.search} value={search} onChange={(event) => setSearch(event.target.value)} className="mb-4 w-full sm:w-80" />
      <Card className="overflow-hidden">
        {list.isPending ? (
          <div className="p-5"><Loading>{Array.from({ length: 5 }, (_, place) => <Skeleton key={place} className="h-8" />)}</Loading></div>
        ) : list.isError ? (
          <Failure error={list.error} retry={() => void list.refetch()} />
        ) : all.length > 0 ? (
          <Versions all={all} open={(id) => set("open", String(id))} />
        ) : rested ? (
          <Empty icon={SearchX} title={t.firmware.noMatch} action={<Button onClick={() => setSearch("")}>{t.clearFilters}</Button>} />
        ) : (
          <Empty icon={Package} title={t.firmware.empty} action={register}>{t.firmware.emptyHint}</Empty>
        )}
        {list.hasNextPage && (
          <div className="flex justify-center border-t border-line p-3">
            <Button disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{t.showMore}</Button>
          </div>
        )}
      </Card>
      <RegisterDialog open={may.operate && address.has("register")} onOpenChange={(on) => !on && set("register", null)} />
      <FirmwareSheet id={open} close={() => set("open", null)} />
    </>
  );
}

function Versions({ all, open }: { all: Firmware[]; open: (id: number) => void }) {
  return (
    <Table>
      <Head>
        <HeadCell>{t.firmware.version}</HeadCell>
        <HeadCell className="max-sm:hidden">{t.firmware.type}</HeadCell>
        <HeadCell className="text-right max-md:hidden">{t.firmware.size}</HeadCell>
        <HeadCell className="max-md:hidden">{t.firmware.sha}</HeadCell>
        <HeadCell className="max-lg:hidden">{t.firmware.registered}</HeadCell>
        <HeadCell>{t.firmware.state}</HeadCell>
      </Head>
      <tbody>
        {all.map((firmware) => (
          <Row key={firmware.id}>
            <Cell className="max-sm:w-full max-sm:max-w-0">
              <button type="button" onClick={() => open(firmware.id)} className={cn("rounded font-mono font-medium", WHOLE_ROW)}>{firmware.version}</button>
              <span className="block max-w-90 truncate max-sm:max-w-full text-xs text-ink-3">{firmware.description}</span>
            </Cell>
            <Cell className="text-ink-2 max-sm:hidden">{firmware.device_type ?? t.everyType}</Cell>
            <Cell className="text-right whitespace-nowrap text-ink-2 max-md:hidden">{bytes(firmware.file_size_bytes)}</Cell>
            <Cell className="max-md:hidden">
              <span className="relative z-10 inline-flex items-center gap-1 font-mono text-xs text-ink-2">
                {firmware.checksum_sha256.slice(0, 8)} <Copy value={firmware.checksum_sha256} label={t.firmware.copySha} />
              </span>
            </Cell>
            <Cell className="text-ink-2 max-lg:hidden" title={exactly(firmware.created_at)}>{moment(firmware.created_at)}</Cell>
            <Cell>
              <FirmwareState firmware={firmware} />
              {firmware.withdrawn_reason && <span className="mt-1 block max-w-60 truncate text-xs text-ink-3" title={firmware.withdrawn_reason}>{firmware.withdrawn_reason}</span>}
            </Cell>
          </Row>
        ))}
      </tbody>
    </Table>
  );
}

function FirmwareState({ firmware }: { firmware: Firmware }) {
  return firmware.status === "ACTIVE" ? <Chip tone="success" icon={Package}>{t.firmware.active}</Chip> : <Chip tone="neutral" icon={Undo2}>{t.firmware.withdrawn}</Chip>;
}

function FirmwareSheet({ id, close }: { id: number | null; close: () => void }) {
  const [shown, setShown] = useState(id);
  if (id && id !== shown) setShown(id);
  const firmware = useOneFirmware(shown);
  const usage = useUsage(shown);
  return (
    <Sheet open={id !== null} onOpenChange={(on) => !on && close()} title={firmware.data?.version ?? t.firmware.version} mono hint={firmware.data && <FirmwareState firmware={firmware.data} />}>
      {firmware.isError ? (
        <Failure error={firmware.error} retry={() => void firmware.refetch()} />
      ) : !firmware.data ? (
        <Loading><Skeleton className="h-40" /></Loading>
      ) : (
        <Detail firmware={firmware.data} usage={usage.data} />
      )}
    </Sheet>
  );
}

function Detail({ firmware, usage }: { firmware: Firmware; usage: ReturnType<typeof useUsage>["data"] }) {
  const may = useMay();
  const navigate = useNavigate();
  const [dialog, setDialog] = useState<"withdraw" | "edit" | null>(null);
  const close = (open: boolean) => !open && setDialog(null);
  const active = firmware.status === "ACTIVE";
  const facts: [string, React.ReactNode][] = [
    ...(firmware.withdrawn_at ? ([[t.firmware.sheet.withdrawn, t.firmware.by(firmware.withdrawn_by, firmware.withdrawn_at)], [t.firmware.sheet.reason, firmware.withdrawn_reason ?? "–"]] as [string, React.ReactNode][]) : []),
    [t.firmware.type, firmware.device_type ?? t.everyType],
    [t.firmware.sheet.size, bytes(firmware.file_size_bytes)],
    [t.firmware.sheet.file, <a key="url" href={firmware.file_url} className="rounded break-all text-accent hover:underline">{firmware.file_url}</a>],
    ...(active ? ([[t.firmware.sheet.address, <Asked key="address" firmware={firmware} />]] as [string, React.ReactNode][]) : []),
    [t.firmware.sha, <span key="sha" className="font-mono text-xs break-all">{firmware.checksum_sha256}</span>],
    [t.firmware.sheet.description, firmware.description ?? "–"],
    [t.firmware.sheet.by, `${firmware.created_by}, ${moment(firmware.created_at)}`],
    [t.firmware.on, usage ? t.firmware.sheet.onDevices(usage.devices) : "–"],
  ];
  return (
    <>
      <dl className="grid grid-cols-[7.5rem_minmax(0,1fr)] gap-x-4 gap-y-3 text-[13px]">
        {facts.map(([name, value]) => (
          <div key={name} className="contents">
            <dt className="text-ink-3">{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <h3 className="mt-6 mb-2 text-sm font-semibold">{t.firmware.sheet.campaigns}</h3>
      {usage?.campaigns.length === 0 && <p className="text-[13px] text-ink-3">{t.firmware.sheet.noCampaigns}</p>}
      <ul className="divide-y divide-line">
        {usage?.campaigns.map((campaign) => (
          <li key={campaign.id} className="flex items-center justify-between gap-3 py-2.5 text-[13px]">
            <Link to={`/ota/campaigns/${campaign.id}`} className="min-w-0 truncate rounded font-medium hover:underline">{campaign.name}</Link>
            <CampaignState status={campaign.status} />
          </li>
        ))}
      </ul>
      <Changes changes={firmware.changes} />
      {may.operate && active && (
        <div className="mt-6 flex flex-wrap gap-2">
          <Button kind="primary" onClick={() => void navigate(`/ota/campaigns/new?firmware=${firmware.id}`)}><Rocket aria-hidden /> {t.firmware.rollOut}</Button>
          <Button onClick={() => setDialog("edit")}><PencilLine aria-hidden /> {t.firmware.edit}</Button>
          <Button kind="warn" onClick={() => setDialog("withdraw")}><Undo2 aria-hidden /> {t.firmware.withdraw}</Button>
        </div>
      )}
      <WithdrawDialog firmware={firmware} open={dialog === "withdraw"} onOpenChange={close} />
      <EditDialog firmware={firmware} open={dialog === "edit"} onOpenChange={close} />
    </>
  );
}

/** What the address answered last, and the question again. */
function Asked({ firmware }: { firmware: Firmware }) {
  const may = useMay();
  const check = useCheck(firmware.id);
  return (
    <div className="space-y-1.5">
      <AddressLine address={firmware.address} />
      {check.error && <FormError>{asRefusal(check.error).detail}</FormError>}
      {may.operate && <Button size="small" disabled={check.isPending} onClick={() => check.mutate()}>{check.isPending ? t.firmware.address.asking : t.firmware.address.again}</Button>}
    </div>
  );
}

function Changes({ changes }: { changes: Firmware["changes"] }) {
  if (changes.length === 0) return null;
  return (
    <>
      <h3 className="mt-6 mb-2 text-sm font-semibold">{t.firmware.history}</h3>
      <ul className="divide-y divide-line">
        {changes.map((change) => (
          <li key={`${change.at}${change.field}`} className="py-2.5 text-[13px]">
            <p><span className="font-medium">{t.firmware.field[change.field]}</span> <span className="text-ink-3" title={exactly(change.at)}>{t.firmware.by(change.by, change.at)}</span></p>
            <p className="text-xs break-all text-ink-2">{t.firmware.fromTo(change.old, change.new)}</p>
          </li>
        ))}
      </ul>
    </>
  );
}

/** Names the campaigns that it pauses, before it does. */
function WithdrawDialog({ firmware, open, onOpenChange }: { firmware: Firmware; open: boolean; onOpenChange: (open: boolean) => void }) {
  const safe = useRef<HTMLButtonElement>(null);
  const [reason, setReason] = useState("");
  const usage = useUsage(open ? firmware.id : null);
  const withdraw = useWithdraw(firmware.id);
  const stopped = usage.data?.campaigns.filter(({ status }) => status === "RUNNING" || status === "PAUSED" || status === "CREATED") ?? [];
  const refusal = withdraw.error && asRefusal(withdraw.error);
  const go = () =>
    withdraw.mutate(reason.trim(), {
      onSuccess: () => {
        toast.success(t.withdraw.done(firmware.version));
        onOpenChange(false);
      },
    });
  return (
    <AlertDialog
      open={open}
      onOpenChange={onOpenChange}
      title={t.withdraw.title(firmware.version)}
      safe={safe}
      actions={
        <>
          <Button ref={safe} onClick={() => onOpenChange(false)}>{t.withdraw.keep}</Button>
          <Button kind="danger" disabled={!reason.trim() || withdraw.isPending} onClick={go}>{t.withdraw.go}</Button>
        </>
      }
    >
      <p>{t.withdraw.says}</p>
      {usage.data && usage.data.devices > 0 && <p><strong className="font-semibold text-ink">{t.withdraw.onDevices(usage.data.devices)[0]}</strong> {t.withdraw.onDevices(usage.data.devices)[1]}</p>}
      {usage.isError ? (
        <FormError>{asRefusal(usage.error).detail}</FormError>
      ) : stopped.length > 0 ? (
        <div>
          <p>{t.withdraw.pauses}</p>
          <ul className="mt-1.5 list-disc space-y-0.5 pl-5 font-medium text-ink">{stopped.map((campaign) => <li key={campaign.id}>{campaign.name}</li>)}</ul>
        </div>
      ) : (
        usage.data && <p>{t.withdraw.pausesNone}</p>
      )}
      <TextField label={t.withdraw.reason} hint={t.withdraw.reasonHint} maxLength={200} value={reason} onChange={(event) => setReason(event.target.value)} error={refusal ? (refusal.fields[0]?.detail ?? refusal.detail) : undefined} className="pt-2 text-ink" />
    </AlertDialog>
  );
}
