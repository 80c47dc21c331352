/** One group and its devices. */
import { Boxes, Rocket, Trash2, Upload } from "lucide-react";
import { useRef, useState } from "react";
import { useNavigate, useParams } from "react-router";
import { toast } from "sonner";
import { asRefusal } from "@/api/problem";
import type { Group } from "@/api/types";
import { useMay } from "@/app/session";
import { Button, ButtonLink } from "@/components/ui/button";
import { AlertDialog } from "@/components/ui/dialog";
import { FormError, SearchInput } from "@/components/ui/form";
import { Facts, PageHead } from "@/components/ui/page";
import { Empty, Failure, Loading, Skeleton } from "@/components/ui/states";
import { devices, moment } from "@/lib/format";
import { t } from "@/lib/texts.en";
import { DeviceSheet } from "./DeviceSheet";
import { DeviceList } from "./DevicesPage";
import { ImportDialog } from "./ImportDialog";
import { useDeleteGroup, useGroup, useRemoveMember } from "./queries";

export default function GroupPage() {
  const group = useGroup(useParams().groupId!);
  if (group.isError) return <Failure error={group.error} retry={() => void group.refetch()} />;
  if (!group.data) return <Loading><Skeleton className="h-20 w-80 max-w-full" /><Skeleton className="h-80" /></Loading>;
  return <Page group={group.data} />;
}

function Page({ group }: { group: Group }) {
  const may = useMay();
  const [dialog, setDialog] = useState<"import" | "delete" | null>(null);
  const [search, setSearch] = useState("");
  const [device, setDevice] = useState<string | null>(null);
  const remove = useRemoveMember(group.group_id);
  const takeOut = (id: string) => remove.mutate(id, { onSuccess: () => toast.success(t.fleet.removed), onError: (error) => toast.error(asRefusal(error).detail) });
  const actions = (
    <>
      {may.delete && <Button kind="warn" onClick={() => setDialog("delete")}><Trash2 aria-hidden /> {t.fleet.deleteGroup}</Button>}
      {may.operate && <Button onClick={() => setDialog("import")}><Upload aria-hidden /> {t.fleet.import}</Button>}
      {may.operate && <ButtonLink kind="primary" to={`/ota/campaigns/new?group=${encodeURIComponent(group.group_id)}`}><Rocket aria-hidden /> {t.campaigns.create}</ButtonLink>}
    </>
  );
  return (
    <>
      <PageHead
        crumbs={[{ to: "/groups", name: t.nav.groups }]}
        title={group.name}
        under={<Facts>{[<span key="id" className="font-mono text-xs">{group.group_id}</span>, devices(group.member_count), `${t.fleet.created.toLowerCase()} ${moment(group.created_at)}`, group.description]}</Facts>}
        actions={actions}
      />
      <SearchInput label={t.fleet.search} value={search} onChange={(event) => setSearch(event.target.value)} className="mb-4 w-full sm:w-80" />
      <DeviceList
        search={search}
        groupId={group.group_id}
        clear={() => setSearch("")}
        open={setDevice}
        {...(may.operate && { remove: takeOut })}
        empty={<Empty icon={Boxes} title={t.fleet.noMembers} action={may.operate && <Button kind="primary" onClick={() => setDialog("import")}><Upload aria-hidden /> {t.fleet.import}</Button>}>{t.fleet.noMembersHint}</Empty>}
      />
      <DeviceSheet id={device} close={() => setDevice(null)} />
      <ImportDialog open={dialog === "import"} onOpenChange={(on) => !on && setDialog(null)} groupId={group.group_id} />
      <DeleteDialog group={group} open={dialog === "delete"} close={() => setDialog(null)} />
    </>
  );
}

function DeleteDialog({ group, open, close }: { group: Group; open: boolean; close: () => void }) {
  const safe = useRef<HTMLButtonElement>(null);
  const remove = useDeleteGroup();
  const navigate = useNavigate();
  const gone = () => {
    toast.success(t.fleet.groupDeleted);
    void navigate("/groups");
  };
  return (
    <AlertDialog
      open={open}
      onOpenChange={(on) => !on && close()}
      title={t.fleet.deleteGroupTitle(group.name)}
      safe={safe}
      actions={
        <>
          <Button ref={safe} onClick={close}>{t.fleet.keep}</Button>
          <Button kind="danger" disabled={remove.isPending} onClick={() => remove.mutate(group.group_id, { onSuccess: gone })}>{t.fleet.deleteGroup}</Button>
        </>
      }
    >
      <p>{t.fleet.deleteGroupSays}</p>
      {remove.error && <FormError>{asRefusal(remove.error).detail}</FormError>}
    </AlertDialog>
  );
}
