import { expect, test } from "vitest";
import { fields, previewOf, records, split } from "./csv";

const FILE = 'device_id,device_type,attributes.note\r\nd1,gw2,plain\r\nd2,gw2,"two\nlines, and ""quotes"""\r\n\r\nd3,,';

test("a quoted field may hold line ends, and lines are counted as in the file", () => {
  expect(records(FILE).map(({ line }) => line)).toEqual([1, 2, 3, 5, 6]);
});

test("fields are unquoted, empty ones kept", () => {
  expect(fields('d2,gw2,"a ""b"", c"\r\n')).toEqual(["d2", "gw2", 'a "b", c']);
  expect(fields("d3,,")).toEqual(["d3", "", ""]);
});

test("the preview has the header, the first rows and how many there are", () => {
  expect(previewOf(`\uFEFF${FILE}`, 1)).toEqual({ header: ["device_id", "device_type", "attributes.note"], rows: [["d1", "gw2", "plain"]], total: 3 });
});

test("the preview takes the header's separator: a semicolon or a tab, too", () => {
  for (const separator of [";", "\t"]) {
    const { header, rows } = previewOf(`\uFEFFdevice_id${separator}"a,b"\nd1${separator}"1,5${separator}x"\n`);
    expect(header).toEqual(["device_id", "a,b"]);
    expect(rows).toEqual([["d1", `1,5${separator}x`]]);
  }
});

test("bad lines are taken out, and both parts keep the header", () => {
  const { good, bad, goodCount } = split(FILE, new Set([6]));
  expect(goodCount).toBe(2);
  expect(records(good)).toHaveLength(3);
  expect(bad).toBe("device_id,device_type,attributes.note\r\nd3,,");
});
