/** Devices: search, one device's sheet, import; the same list serves a group. */
import { Plus, Radio, SearchX, Upload, X } from "lucide-react";
import { useState, type FormEvent } from "react";
import { Link, useNavigate, useParams, useSearchParams } from "react-router";
import { toast } from "sonner";
import { asRefusal } from "@/api/problem";
import type { Device } from "@/api/types";
import { useMay } from "@/app/session";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Version } from "@/components/ui/chips";
import { Dialog } from "@/components/ui/dialog";
import { FormError, SearchInput, TextField } from "@/components/ui/form";
import { PageHead } from "@/components/ui/page";
import { Empty, Failure, Loading, Skeleton } from "@/components/ui/states";
import { Cell, Head, HeadCell, Row, Table, WHOLE_ROW } from "@/components/ui/table";
import { cn } from "@/lib/cn";
import { ago, exactly, moment } from "@/lib/format";
import { useNow, useRested } from "@/lib/live/use-live";
import { t } from "@/lib/texts.en";
import { DeviceSheet } from "./DeviceSheet";
import { ImportDialog } from "./ImportDialog";
import { useAddDevice, useDevices } from "./queries";

export default function DevicesPage() {
  const { deviceId } = useParams();
  const navigate = useNavigate();
  const [address, setAddress] = useSearchParams();
  const may = useMay();
  const [adding, setAdding] = useState(false);
  const [search, setSearch] = useState(address.get("search") ?? "");
  const importing = address.has("import");
  const setImporting = (on: boolean) => setAddress(on ? { import: "1" } : {}, { replace: true });
  const actions = may.operate && (
    <>
      <Button onClick={() => setAdding(true)}><Plus aria-hidden /> {t.fleet.add}</Button>
      <Button kind="primary" onClick={() => setImporting(true)}><Upload aria-hidden /> {t.fleet.import}</Button>
    </>
  );
  return (
    <>
      <PageHead title={t.fleet.devices} under={t.fleet.devicesUnder} actions={actions} />
      <SearchInput label={t.fleet.search} value={search} onChange={(event) => setSearch(event.target.value)} className="mb-4 w-full sm:w-80" />
      <DeviceList
        search={search}
        clear={() => setSearch("")}
        open={(id) => void navigate(`/devices/${encodeURIComponent(id)}`)}
        empty={<Empty icon={Radio} title={t.fleet.empty} action={may.operate && <Button kind="primary" onClick={() => setImporting(true)}><Upload aria-hidden /> {t.fleet.import}</Button>}>{t.fleet.emptyHint}</Empty>}
      />
      <DeviceSheet id={deviceId ?? null} close={() => void navigate("/devices")} />
      <ImportDialog open={may.operate && importing} onOpenChange={setImporting} />
      <Dialog open={adding} onOpenChange={setAdding} title={t.addDevice.title}>
        <AddDevice done={() => setAdding(false)} />
      </Dialog>
    </>
  );
}

interface ListProps {
  search: string;
  groupId?: string;
  clear: () => void;
  open: (id: string) => void;
  empty: React.ReactNode;
  remove?: (id: string) => void;
}

export function DeviceList({ search, groupId = "", clear, open, empty, remove }: ListProps) {
  const rested = useRested(search.trim());
  const list = useDevices(rested, groupId);
  const now = useNow(5000);
  if (list.isPending) return <Card className="p-5"><Loading>{Array.from({ length: 6 }, (_, place) => <Skeleton key={place} className="h-7" />)}</Loading></Card>;
  if (list.isError) return <Card><Failure error={list.error} retry={() => void list.refetch()} /></Card>;
  const all = list.data.pages.flatMap((page) => page.devices);
  const { total, total_capped: capped } = list.data.pages[0]!;
  if (all.length === 0) {
    return <Card>{rested ? <Empty icon={SearchX} title={t.fleet.noMatch} action={<Button onClick={clear}>{t.clearFilters}</Button>}>{t.fleet.noMatchHint}</Empty> : empty}</Card>;
  }
  return (
    <Card className="overflow-hidden">
      <Table>
        <Head>
          <HeadCell>{t.fleet.device}</HeadCell>
          <HeadCell className="max-sm:hidden">{t.fleet.type}</HeadCell>
          <HeadCell>{t.fleet.version}</HeadCell>
          <HeadCell>{t.fleet.heard}</HeadCell>
          <HeadCell className="max-md:hidden">{t.fleet.registered}</HeadCell>
          {remove && <HeadCell><span className="sr-only">{t.fleet.remove}</span></HeadCell>}
        </Head>
        <tbody>{all.map((device) => <DeviceLine key={device.device_id} {...{ device, now, open, remove }} />)}</tbody>
      </Table>
      <div className="flex items-center justify-between gap-3 border-t border-line px-4 py-3 text-xs text-ink-3 sm:px-5">
        {t.fleet.showing(all.length, total, capped)}
        {list.hasNextPage && <Button size="small" disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{t.showMore}</Button>}
      </div>
    </Card>
  );
}

function DeviceLine({ device, now, open, remove }: { device: Device; now: number; open: (id: string) => void; remove?: (id: string) => void }) {
  return (
    <Row>
      <Cell className="max-w-48"><button type="button" onClick={() => open(device.device_id)} className={cn("block max-w-full truncate rounded font-mono", WHOLE_ROW)}>{device.device_id}</button></Cell>
      <Cell className="text-ink-2 max-sm:hidden">{device.device_type}</Cell>
      <Cell><Version>{device.current_version}</Version></Cell>
      <Cell className="whitespace-nowrap text-ink-2" title={exactly(device.last_seen_at)}>{device.last_seen_at ? ago(device.last_seen_at, now) : t.sheet.never}</Cell>
      <Cell className="text-ink-2 max-md:hidden" title={exactly(device.created_at)}>{moment(device.created_at)}</Cell>
      {remove && (
        <Cell className="w-12">
          <Button kind="quiet" size="small-icon" className="relative z-10" aria-label={`${t.fleet.remove}: ${device.device_id}`} title={t.fleet.remove} onClick={() => remove(device.device_id)}><X aria-hidden /></Button>
        </Cell>
      )}
    </Row>
  );
}

function AddDevice({ done }: { done: () => void }) {
  const [device, setDevice] = useState({ device_id: "", device_type: "", current_version: "" });
  const add = useAddDevice();
  const refusal = add.error && asRefusal(add.error);
  const wrong = (field: string) => refusal?.fields.find((error) => error.field.endsWith(field))?.detail;
  const input = (name: keyof typeof device, label: string) => ({ label, value: device[name], maxLength: 128, autoComplete: "off", error: wrong(name), onChange: (event: { target: { value: string } }) => setDevice({ ...device, [name]: event.target.value }) });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    add.mutate(
      { ...device, current_version: device.current_version.trim() || null },
      {
        onSuccess: () => {
          toast.success(t.addDevice.done(device.device_id));
          done();
        },
      },
    );
  };
  return (
    <form onSubmit={submit} noValidate className="space-y-4">
      <TextField {...input("device_id", t.addDevice.id)} />
      <TextField {...input("device_type", t.addDevice.type)} />
      <TextField {...input("current_version", `${t.addDevice.version} (${t.optional})`)} />
      {refusal && refusal.fields.length === 0 && <FormError>{refusal.detail}</FormError>}
      <div className="flex justify-end gap-2">
        <Button onClick={done}>{t.cancel}</Button>
        <Button kind="primary" type="submit" disabled={!device.device_id.trim() || !device.device_type.trim() || add.isPending}>{t.addDevice.go}</Button>
      </div>
    </form>
  );
}

export const GroupLink = ({ id, name }: { id: string; name: string }) => <Link to={`/groups/${encodeURIComponent(id)}`} className={cn("rounded font-medium", WHOLE_ROW)}>{name}</Link>;
