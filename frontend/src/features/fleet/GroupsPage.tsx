/** Groups: the lists of devices that campaigns aim at. */
import { Boxes, Plus, SearchX } from "lucide-react";
import { useState, type FormEvent } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { toast } from "sonner";
import { asRefusal } from "@/api/problem";
import { useMay } from "@/app/session";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Dialog } from "@/components/ui/dialog";
import { FormError, SearchInput, TextField } from "@/components/ui/form";
import { PageHead } from "@/components/ui/page";
import { Empty, Failure, Loading, Skeleton } from "@/components/ui/states";
import { Cell, Head, HeadCell, Row, Table } from "@/components/ui/table";
import { count, exactly, moment } from "@/lib/format";
import { t } from "@/lib/texts.en";
import { GroupLink } from "./DevicesPage";
import { useGroups, useMakeGroup } from "./queries";

export default function GroupsPage() {
  const groups = useGroups();
  const may = useMay();
  const [address, setAddress] = useSearchParams();
  const [search, setSearch] = useState("");
  const making = address.has("new");
  const setMaking = (on: boolean) => setAddress(on ? { new: "1" } : {}, { replace: true });
  const make = may.operate && (
    <Button kind="primary" onClick={() => setMaking(true)}><Plus aria-hidden /> {t.fleet.newGroup}</Button>
  );
  const all = groups.data?.pages.flatMap((page) => page.groups) ?? [];
  const wanted = search.trim().toLowerCase();
  const shown = all.filter((group) => `${group.name} ${group.group_id}`.toLowerCase().includes(wanted));
  return (
    <>
      <PageHead title={t.fleet.groups} under={t.fleet.groupsUnder} actions={make} />
      {all.length > 8 && <SearchInput label={t.campaigns.search} value={search} onChange={(event) => setSearch(event.target.value)} className="mb-4 w-full sm:w-80" />}
      <Card className="overflow-hidden">
        {groups.isPending ? (
          <div className="p-5"><Loading>{Array.from({ length: 4 }, (_, place) => <Skeleton key={place} className="h-8" />)}</Loading></div>
        ) : groups.isError ? (
          <Failure error={groups.error} retry={() => void groups.refetch()} />
        ) : all.length === 0 ? (
          <Empty icon={Boxes} title={t.fleet.emptyGroups} action={make}>{t.fleet.emptyGroupsHint}</Empty>
        ) : shown.length === 0 ? (
          <Empty icon={SearchX} title={t.fleet.noMatch} action={<Button onClick={() => setSearch("")}>{t.clearFilters}</Button>} />
        ) : (
          <Table>
            <Head>
              <HeadCell>{t.fleet.name}</HeadCell>
              <HeadCell className="max-sm:hidden">{t.fleet.groupId}</HeadCell>
              <HeadCell className="text-right">{t.fleet.members}</HeadCell>
              <HeadCell className="max-md:hidden">{t.fleet.created}</HeadCell>
            </Head>
            <tbody>
              {shown.map((group) => (
                <Row key={group.group_id}>
                  <Cell>
                    <GroupLink id={group.group_id} name={group.name} />
                    <span className="block text-xs text-ink-3">{group.description}</span>
                  </Cell>
                  <Cell className="font-mono text-xs text-ink-2 max-sm:hidden">{group.group_id}</Cell>
                  <Cell className="text-right">{count(group.member_count)}</Cell>
                  <Cell className="text-ink-2 max-md:hidden" title={exactly(group.created_at)}>{moment(group.created_at)}</Cell>
                </Row>
              ))}
            </tbody>
          </Table>
        )}
        {groups.hasNextPage && (
          <div className="flex justify-center border-t border-line p-3">
            <Button disabled={groups.isFetchingNextPage} onClick={() => void groups.fetchNextPage()}>{t.showMore}</Button>
          </div>
        )}
      </Card>
      <Dialog open={may.operate && making} onOpenChange={setMaking} title={t.fleet.newGroup}>
        <MakeGroup />
      </Dialog>
    </>
  );
}

const idFrom = (name: string) => name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "");

function MakeGroup() {
  const [name, setName] = useState("");
  const [id, setId] = useState<string | null>(null);
  const [description, setDescription] = useState("");
  const make = useMakeGroup();
  const navigate = useNavigate();
  const groupId = id ?? idFrom(name);
  const refusal = make.error && asRefusal(make.error);
  const wrong = (field: string) => refusal?.fields.find((error) => error.field.endsWith(field))?.detail;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate(
      { group_id: groupId, name: name.trim(), description: description.trim() || null },
      {
        onSuccess: () => {
          toast.success(t.fleet.groupMade(name.trim()));
          void navigate(`/groups/${encodeURIComponent(groupId)}`);
        },
      },
    );
  };
  return (
    <form onSubmit={submit} noValidate className="space-y-4">
      <TextField label={t.fleet.name} maxLength={200} value={name} error={wrong("name")} onChange={(event) => setName(event.target.value)} />
      <TextField label={t.fleet.groupId} hint={t.fleet.groupIdHint} maxLength={128} value={groupId} error={wrong("group_id")} onChange={(event) => setId(event.target.value)} />
      <TextField label={`${t.fleet.description} (${t.optional})`} maxLength={2000} value={description} error={wrong("description")} onChange={(event) => setDescription(event.target.value)} />
      {refusal && refusal.fields.length === 0 && <FormError>{refusal.detail}</FormError>}
      <div className="flex justify-end">
        <Button kind="primary" type="submit" disabled={!name.trim() || !groupId || make.isPending}>{t.fleet.makeGroup}</Button>
      </div>
    </form>
  );
}
