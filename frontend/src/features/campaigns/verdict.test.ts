import { describe, expect, test } from "vitest";
import { at, campaign, counts, NOW, stage } from "./fixtures";
import { verdict } from "./verdict";

const canary = (some: Parameters<typeof stage>[0]) => campaign({ stages: [stage({ name: "Canary", ...some }), stage({ number: 1, name: "Everyone", status: "WAITING" })] });

describe("a running campaign", () => {
  test("on pace goes well, and says when it ends", () => {
    const { mood, title, says } = verdict(campaign({ eta: at(15 * 60) }), NOW);
    expect([mood, title]).toEqual(["well", "Going well"]);
    expect(says).toMatch(/^On pace at 1,190 devices a minute\. Finishes about .+, in 15 min\.$/);
  });

  test("close to its abort rule says so before anything else", () => {
    const near = campaign({ failed: 81, succeeded: 700, abort_at: 100, actual_rate: 10 });
    expect(verdict(near, NOW)).toEqual({ mood: "warn", title: "Close to aborting", says: "81 failed; at 100 the campaign stops by itself." });
  });

  test("one failure alone is not close to aborting", () => {
    expect(verdict(campaign({ failed: 1, abort_at: 1 }), NOW).title).toBe("Going well");
  });

  test("the sequential rule counts devices that fail attempts, not failed devices", () => {
    const near = campaign({ abort_rule: "sequential", failed: 2, failing_devices: 90, dispatched_devices: 800, abort_at: 100 });
    expect(verdict(near, NOW).says).toBe("90 failed; at 100 the campaign stops by itself.");
  });

  test("with many failures does not go well, also where its rule allows them", () => {
    expect(verdict(campaign({ abort_threshold: 1, failed: 50, succeeded: 50 }), NOW)).toEqual({ mood: "warn", title: "Many devices fail", says: "50.0 % of finished devices failed so far. This campaign does not stop by itself." });
    expect(verdict(campaign({ failed: 1, succeeded: 1 }), NOW).title).toBe("Going well");
  });

  test("whose gate needs devices that are offline says so, until an approver has opened it", () => {
    const held = { status_breakdown: counts({ SUCCESS: 94, PENDING: 6 }), waiting: { offline: 6, refused: 0, retry: 0 } };
    const one = { ...held, min_success: 0.95, needed: 95, stuck_since: at(-60) };
    expect(verdict({ ...canary(one), ...held }, NOW)).toEqual({
      mood: "warn",
      title: "The gate cannot open by itself",
      says: "94 of the 95 devices that Canary needs are updated, and the rest is held back (6 offline). They are tried again; or an approver opens the gate.",
    });
    expect(verdict({ ...canary({ ...one, approved_at: at(-1), approved_by: "ada" }), ...held }, NOW).title).toBe("Waits for 6 offline devices");
  });

  const behind = { actual_rate: 500, stages: [stage({ status_breakdown: counts({ PENDING: 5000 }) })], status_breakdown: counts({ PENDING: 5000 }) };

  test("below 80 % of its promise is slow, for devices that wait", () => {
    const { mood, title, says } = verdict(campaign(behind), NOW);
    expect([mood, title]).toEqual(["warn", "Slower than promised"]);
    expect(says).toBe("500 a minute instead of 1,200. 5,000 devices of this stage wait: offline, or before another attempt.");
  });

  test("is slow because of its limit when as many are at work as may be", () => {
    const limited = campaign({ ...behind, max_in_flight: 300, status_breakdown: counts({ PENDING: 5000, DOWNLOADING: 295 }) });
    expect(verdict(limited, NOW).says).toContain("295 devices are at work and no more than 300 may be at once.");
  });

  test("is slow because of its ramp, which grows with success", () => {
    const ramped = campaign({ ...behind, ramp_start: 50, succeeded: 50, status_breakdown: counts({ PENDING: 5000, SUCCESS: 50, INSTALLING: 100 }) });
    expect(verdict(ramped, NOW).says).toContain("It may only speed up as devices succeed.");
  });

  test("is not called slow in its first minute, nor when hardly anything is left to send", () => {
    expect(verdict(campaign({ ...behind, started_at: at(-30) }), NOW).title).toBe("Going well");
    const last = counts({ PENDING: 100, SUCCESS: 900 });
    expect(verdict(campaign({ actual_rate: 5, stages: [stage({ status_breakdown: last })], status_breakdown: last }), NOW).title).toBe("Going well");
  });

  test("with all devices sent says how many still have to finish", () => {
    expect(verdict(campaign({ status_breakdown: counts({ SUCCESS: 990, INSTALLING: 10 }) }), NOW).says).toBe("All are sent; 10 devices still have to finish.");
  });

  const offline = { offline: 20, refused: 0, retry: 0 };

  test("of which nothing could be sent now says whom it waits for, and no end", () => {
    const left = counts({ SUCCESS: 37, PENDING: 20, INSTALLING: 3 });
    const held = campaign({ status_breakdown: left, stages: [stage({ status_breakdown: left, rollout_rate: 10 })], waiting: offline, dispatched_devices: 60, actual_rate: 0, eta: at(60) });
    expect(verdict(held, NOW)).toEqual({ mood: "calm", title: "Waits for 20 offline devices", says: "Nothing else can be sent now; 3 devices are at work. No end foreseeable: 20 offline." });
    expect(verdict({ ...held, waiting: { offline: 15, refused: 4, retry: 1 } }, NOW)).toMatchObject({ title: "Waits for 20 devices", says: expect.stringContaining("15 offline, 4 refused by the broker, 1 after a failed attempt.") });
  });

  test("whose canary is offline waits for it, whatever later stages have", () => {
    const stages = [stage({ status_breakdown: counts({ SUCCESS: 4, PENDING: 6 }) }), stage({ number: 1, status: "WAITING", status_breakdown: counts({ PENDING: 90 }) })];
    const gated = campaign({ status_breakdown: counts({ SUCCESS: 4, PENDING: 96 }), stages, waiting: { ...offline, offline: 6 }, dispatched_devices: 10, eta: at(300) });
    expect(verdict(gated, NOW)).toMatchObject({ mood: "calm", title: "Waits for 6 offline devices" });
  });

  test("with some devices held back names its pace, and no end", () => {
    expect(verdict(campaign({ waiting: offline, eta: at(900) }), NOW)).toEqual({ mood: "well", title: "Going well", says: "On pace at 1,190 devices a minute. No end foreseeable: 20 offline." });
  });

  test("sends its first devices only until one is sent", () => {
    expect(verdict(campaign({ actual_rate: 0 }), NOW).says).toContain("first devices");
    const left = counts({ PENDING: 100, INSTALLING: 3 });
    expect(verdict(campaign({ actual_rate: 0, dispatched_devices: 3, status_breakdown: left, stages: [stage({ status_breakdown: left })] }), NOW).says).toBe("Nothing was sent lately; 3 devices are at work.");
  });

  test("in a soak says for how long the stage has to hold", () => {
    expect(verdict(canary({ status: "SOAKING", soak_until: at(600) }), NOW)).toEqual({ mood: "calm", title: "Soaking", says: "Canary has to hold for another 10 min before the next stage begins." });
  });

  test("at a gate names who opens it, and to what", () => {
    expect(verdict(canary({ status: "AWAITING_APPROVAL" }), NOW).says).toBe("Canary is done. An approver opens the gate to Everyone.");
  });

  test("at a gate that was approved does not ask for it again", () => {
    expect(verdict(canary({ status: "AWAITING_APPROVAL", approved_by: "ada", approved_at: at(-1) }), NOW).title).toBe("Going well");
  });
});

describe("a campaign that stands still", () => {
  test("that was not started says what would happen", () => {
    expect(verdict(campaign({ status: "CREATED", started_at: null }), NOW).says).toBe("1,000 devices will be updated, 1,200 a minute. Nothing happens before you start it.");
  });

  test("paused by a person says who, when and why", () => {
    const paused = campaign({ status: "PAUSED", status_reason: { code: "operator", by: "ada", at: at(-60), detail: "looks odd" } });
    expect(verdict(paused, NOW).says).toMatch(/^By ada at .*: looks odd\. Devices at work finish, no other is sent\.$/);
  });

  test("paused at a gate says what cannot be reached", () => {
    const failed = campaign({ status: "PAUSED", stages: [stage({ name: "Canary", status: "FAILED", min_success: 0.98 })], status_reason: { code: "gate_failed", by: null, at: at(-60), detail: null } });
    expect(verdict(failed, NOW)).toMatchObject({ mood: "bad", title: "Stopped at a gate", says: expect.stringContaining("98 %") });
  });

  test("let through a failed gate says by whom, and that it has to be resumed", () => {
    const failed = stage({ name: "Canary", status: "FAILED", min_success: 0.98, approved_by: "ada", approved_at: at(-30) });
    const stages = [failed, stage({ number: 1, name: "Everyone", status: "WAITING" })];
    const passed = campaign({ status: "PAUSED", stages, status_reason: { code: "gate_failed", by: null, at: at(-60), detail: null } });
    expect(verdict(passed, NOW)).toEqual({ mood: "calm", title: "Gate passed by ada", says: "Resume to go on to Everyone, although Canary cannot reach its 98 % of updated devices." });
  });

  const withdrawal = { by: "ann", at: at(-61), reason: "bricks the radio" };

  test.each([{ code: "firmware_withdrawn" as const, by: null }, { code: "operator" as const, by: "ada" }])("paused with a withdrawn firmware says by whom, when and why, whatever paused it", (reason) => {
    const paused = verdict(campaign({ status: "PAUSED", firmware_withdrawal: withdrawal, status_reason: { ...reason, at: at(-60), detail: null } }), NOW);
    expect(paused).toMatchObject({ mood: "bad", title: "Stopped: firmware withdrawn" });
    expect(paused.says).toMatch(/^Firmware 2\.1\.0 was withdrawn by ann at .*: bricks the radio\. This campaign cannot go on with it\.$/);
  });

  test("not started, with a withdrawn firmware, says that it cannot start", () => {
    expect(verdict(campaign({ status: "CREATED", firmware_withdrawal: withdrawal }), NOW)).toMatchObject({ mood: "bad", title: "Cannot start: firmware withdrawn" });
  });

  test("stopped by a restored database says so", () => {
    expect(verdict(campaign({ status: "PAUSED", status_reason: { code: "restored", by: null, at: at(-60), detail: null } }), NOW).title).toBe("Stopped: the database was restored");
    expect(verdict(campaign({ status: "ABORTED", status_reason: { code: "restored", by: null, at: at(-60), detail: null } }), NOW).says).toContain("aborted before");
  });

  test("aborted by its rule says which rule, and how many are still at work", () => {
    const aborted = campaign({ status: "ABORTED", failed: 12, succeeded: 88, status_breakdown: counts({ FAILED: 12, SUCCESS: 88, INSTALLING: 1 }), status_reason: { code: "abort_ratio", by: null, at: at(-60), detail: null } });
    expect(verdict(aborted, NOW)).toEqual({
      mood: "bad",
      title: "Aborted",
      says: "It stopped itself, because more than 10 % of finished devices failed. By now 12 of 100 did. 1 device still at work finishes by itself.",
    });
  });
});

describe("a complete campaign", () => {
  const done = { status: "COMPLETED" as const, started_at: at(-3600), completed_at: at(0) };

  test("without failures says so", () => {
    expect(verdict(campaign({ ...done, succeeded: 1000, status_breakdown: counts({ SUCCESS: 1000 }) }), NOW)).toEqual({ mood: "well", title: "Complete", says: "All 1,000 devices updated in 1 h." });
  });

  test("of one device does not speak of all", () => {
    expect(verdict(campaign({ ...done, succeeded: 1, status_breakdown: counts({ SUCCESS: 1 }) }), NOW).says).toBe("1 device updated in 1 h.");
  });

  test("with failures counts both", () => {
    expect(verdict(campaign({ ...done, succeeded: 990, failed: 10, status_breakdown: counts({ SUCCESS: 990, FAILED: 10 }) }), NOW).says).toBe("990 updated, 10 failed, in 1 h.");
  });

  test("in which many failed is nothing to be glad of", () => {
    expect(verdict(campaign({ ...done, succeeded: 60, failed: 40, status_breakdown: counts({ SUCCESS: 60, FAILED: 40 }) }), NOW)).toMatchObject({ mood: "warn", title: "Complete" });
  });

  test("in which every device was skipped says that nothing was to be done", () => {
    expect(verdict(campaign({ ...done, status_breakdown: counts({ SKIPPED: 1000 }) }), NOW).says).toBe("No device had to be updated.");
  });
});

test("a campaign that has ended without one update is not shown as a success", () => {
  const reason = { code: "nobody_updated" as const, detail: "no device was updated: 0 failed, 40 skipped (40 superseded)", by: null, at: at(-1) };
  const ended = campaign({ status: "COMPLETED", completed_at: at(-1), status_reason: reason, status_breakdown: counts({ SKIPPED: 40 }) });
  expect(verdict(ended, NOW)).toEqual({ mood: "warn", title: "Nobody was updated", says: "It has ended: 0 failed, 40 skipped. The timeline says why they were skipped." });
});
