/** Devices from a CSV file: checked by the server first, every wrong line shown, all or nothing. */
import { CircleCheck, Download } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { asRefusal, type FieldError, type Refusal } from "@/api/problem";
import type { Imported } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Drop } from "@/components/ui/drop";
import { FormError, SelectField } from "@/components/ui/form";
import { Failure, Loading, Skeleton } from "@/components/ui/states";
import { bytes, devices } from "@/lib/format";
import { t } from "@/lib/texts.en";
import { previewOf, split } from "./csv";
import { useCheck, useGroups, useImport } from "./queries";

const MOST_BYTES = 64 << 20;

interface Chosen {
  name: string;
  text: string;
  blob: Blob;
  /** Tells one choice from the next, of the same file too. */
  version: number;
}

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  groupId?: string;
}

export function ImportDialog({ open, onOpenChange, groupId = "" }: Props) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={t.importing.title} wide>
      <Importing done={() => onOpenChange(false)} startGroup={groupId} />
    </Dialog>
  );
}

function Importing({ done, startGroup }: { done: () => void; startGroup: string }) {
  const [file, setFile] = useState<Chosen | null>(null);
  const [groupId, setGroupId] = useState(startGroup);
  const [wrong, setWrong] = useState("");
  const choose = async (chosen: File) => {
    setWrong(chosen.size > MOST_BYTES ? t.importing.tooLarge : "");
    if (chosen.size <= MOST_BYTES) setFile({ name: chosen.name, text: await chosen.text(), blob: chosen, version: Date.now() });
  };
  const keepGood = (text: string) => setFile({ name: file!.name, text, blob: new Blob([text]), version: Date.now() });
  return (
    <div className="space-y-4">
      <GroupChoice value={groupId} onChange={setGroupId} />
      {!file && <Drop label={t.importing.drop} hint={t.importing.dropHint} accept=".csv,text/csv" onFile={(chosen) => void choose(chosen)} />}
      {wrong && <FormError>{wrong}</FormError>}
      {file && <CheckedFile file={file} groupId={groupId} done={done} again={() => setFile(null)} keepGood={keepGood} />}
    </div>
  );
}

function GroupChoice({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const groups = useGroups();
  const all = groups.data?.pages.flatMap((page) => page.groups) ?? [];
  const options = [{ value: "", label: t.importing.noGroup }, ...all.map((group) => ({ value: group.group_id, label: group.name, note: devices(group.member_count) }))];
  return <SelectField label={t.importing.group} options={options} value={value} onChange={onChange} placeholder={t.importing.noGroup} />;
}

interface FileProps {
  file: Chosen;
  groupId: string;
  done: () => void;
  again: () => void;
  keepGood: (text: string) => void;
}

function CheckedFile({ file, groupId, done, again, keepGood }: FileProps) {
  const check = useCheck(file.blob, groupId, file.version);
  const send = useImport();
  const shown = previewOf(file.text);
  const result = check.data;
  const go = () =>
    send.mutate(
      { csv: file.blob, groupId },
      {
        onSuccess: ({ created, updated }) => {
          toast.success(t.importing.done(created, updated));
          done();
        },
      },
    );
  return (
    <>
      <p className="text-[13px]">
        <span className="font-medium">{file.name}</span> <span className="text-ink-3">{bytes(file.blob.size)}</span>
      </p>
      <Lines header={shown.header} rows={shown.rows} />
      {check.isPending ? (
        <Loading>
          <p className="text-[13px] text-ink-2">{t.importing.checking}</p>
          <Skeleton className="h-10" />
        </Loading>
      ) : check.isError ? (
        <Failure error={check.error} retry={() => void check.refetch()} />
      ) : result && "refusal" in result ? (
        <BadLines file={file} refusal={result.refusal} keepGood={keepGood} />
      ) : (
        result && <Good result={result.good} group={groupId !== ""} />
      )}
      {send.error && <FormError>{asRefusal(send.error).detail}</FormError>}
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={again}>{t.importing.another}</Button>
        {result && "good" in result && (
          <Button kind="primary" disabled={send.isPending} onClick={go}>
            {t.importing.go(result.good.created + result.good.updated)}
          </Button>
        )}
      </div>
    </>
  );
}

function Lines({ header, rows }: { header: string[]; rows: string[][] }) {
  return (
    <div role="region" aria-label={t.importing.preview} tabIndex={0} className="overflow-x-auto rounded-lg border border-line">
      <table className="w-full text-left font-mono text-xs">
        <caption className="sr-only">{t.importing.preview}</caption>
        <thead className="bg-sunken text-ink-2">
          <tr>{header.map((name, place) => <th key={`${name}${place}`} scope="col" className="px-3 py-2 font-normal whitespace-nowrap">{name}</th>)}</tr>
        </thead>
        <tbody>
          {rows.map((row, line) => (
            <tr key={line} className="border-t border-line">{header.map((name, place) => <td key={`${name}${place}`} className="px-3 py-1.5 whitespace-nowrap">{row[place]}</td>)}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Good({ result, group }: { result: Imported; group: boolean }) {
  return (
    <p role="status" className="flex items-start gap-2 rounded-lg bg-success-tint px-3 py-2.5 text-[13px] text-success-text">
      <CircleCheck aria-hidden className="mt-0.5 size-4 shrink-0" />
      {t.importing.good(result.created, result.updated)}
      {group && t.importing.goodGroup(result.added_to_group)}
    </p>
  );
}

function BadLines({ file, refusal, keepGood }: { file: Chosen; refusal: Refusal; keepGood: (text: string) => void }) {
  const errors: FieldError[] = refusal.fields;
  const lines = new Set(errors.flatMap((error) => (error.line === undefined ? [] : [error.line])));
  const complete = refusal.fieldsTotal <= errors.length;
  const parts = split(file.text, lines);
  return (
    <>
      <FormError>{lines.size > 0 ? t.importing.bad(complete ? lines.size : refusal.fieldsTotal) : refusal.detail}</FormError>
      {errors.length > 0 && (
        <div role="region" aria-label={t.importing.why} tabIndex={0} className="max-h-64 overflow-auto rounded-lg border border-line">
          <table className="w-full text-left text-[13px]">
            <thead className="sticky top-0 bg-sunken text-xs text-ink-2">
              <tr>{[t.importing.line, t.importing.field, t.importing.why].map((head) => <th key={head} scope="col" className="px-3 py-2 font-normal">{head}</th>)}</tr>
            </thead>
            <tbody>
              {errors.map((error) => (
                <tr key={`${error.line} ${error.field} ${error.detail}`} className="border-t border-line align-top">
                  <td className="px-3 py-2">{error.line ?? "–"}</td>
                  <td className="px-3 py-2 font-mono text-xs">{error.field}</td>
                  <td className="px-3 py-2">{error.detail}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {!complete && <p className="text-xs text-ink-3">{t.importing.more(refusal.fieldsTotal - errors.length)}</p>}
      {lines.size > 0 && (
        <div className="flex flex-wrap gap-2">
          <Button onClick={() => download(`bad-lines-${file.name}`, parts.bad)}>
            <Download aria-hidden /> {t.importing.download}
          </Button>
          {complete && parts.goodCount > 0 && <Button onClick={() => keepGood(parts.good)}>{t.importing.goodOnly(parts.goodCount)}</Button>}
        </div>
      )}
    </>
  );
}

function download(name: string, text: string) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  URL.revokeObjectURL(url);
}
