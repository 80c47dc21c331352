/** CSV as far as the console needs it: records with their lines, to preview and to leave bad ones out. Pure. */

export interface CsvRecord {
  /** The line it begins on; the header is line 1. */
  line: number;
  /** As it stands in the file, with its line's end. */
  text: string;
}

/** Splits a file into records; a quoted field may hold line ends. */
export function records(text: string): CsvRecord[] {
  const all: CsvRecord[] = [];
  let line = 1;
  let begin = 0;
  let beginLine = 1;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === '"') quoted = !quoted;
    if (sign !== "\n") continue;
    line += 1;
    if (quoted) continue;
    all.push({ line: beginLine, text: text.slice(begin, at + 1) });
    begin = at + 1;
    beginLine = line;
  }
  if (begin < text.length) all.push({ line: beginLine, text: text.slice(begin) });
  return all;
}

/** What separates the header's columns and so all fields: the first comma, semicolon or tab that no quotes enclose. */
const separatorOf = (header: string) => /^(?:"[^"]*"|[^",;\t])*([,;\t])/.exec(header)?.[1] ?? ",";

/** The fields of one record. */
export function fields(record: string, separator = ","): string[] {
  const all: string[] = [];
  const pattern = new RegExp(`(?:^|${separator})(?:"((?:[^"]|"")*)"|([^${separator}]*))`, "g");
  for (const [, quoted, plain] of record.replace(/\r?\n$/, "").matchAll(pattern)) all.push(quoted?.replaceAll('""', '"') ?? plain ?? "");
  return all;
}

const isBlank = (record: CsvRecord) => record.text.trim() === "";

export interface Preview {
  header: string[];
  rows: string[][];
  /** Records below the header. */
  total: number;
}

export function previewOf(text: string, most = 5): Preview {
  const [header, ...rest] = records(text).filter((record) => !isBlank(record));
  const head = header?.text.replace(/^\uFEFF/, "") ?? "";
  const separator = separatorOf(head);
  return { header: header ? fields(head, separator) : [], rows: rest.slice(0, most).map((record) => fields(record.text, separator)), total: rest.length };
}

/** The file without the records that begin on `bad` lines, and those alone, each with the header. */
export function split(text: string, bad: ReadonlySet<number>): { good: string; bad: string; goodCount: number } {
  const [header, ...rest] = records(text).filter((record) => !isBlank(record));
  const head = header?.text ?? "";
  const kept = rest.filter((record) => !bad.has(record.line));
  const refused = rest.filter((record) => bad.has(record.line));
  const join = (some: CsvRecord[]) => head + some.map((record) => record.text).join("");
  return { good: join(kept), bad: join(refused), goodCount: kept.length };
}
