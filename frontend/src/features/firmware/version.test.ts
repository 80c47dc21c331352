import { expect, test } from "vitest";
import { versionIn } from "./RegisterDialog";

test("a version is found in the name of its file", () => {
  expect(["gw2-2.1.0.bin", "thermostat_1.10.img", "fw-3.0.0-rc1.tar", "firmware.bin"].map(versionIn)).toEqual(["2.1.0", "1.10", "3.0.0-rc1", ""]);
});
