import { expect, test } from "vitest";
import { eachOnce } from "./rows";

test("a device that moved between two pages is shown once, as it was read last", () => {
  const rows = [
    { device_id: "a", status: "INSTALLING" },
    { device_id: "b", status: "QUEUED" },
    { device_id: "a", status: "SUCCESS" },
  ];
  expect(eachOnce(rows)).toEqual([
    { device_id: "a", status: "SUCCESS" },
    { device_id: "b", status: "QUEUED" },
  ]);
});
