import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { update } from "../fixtures";
import { UpdateSteps } from "./update-steps";

test("a device that was updated at the third attempt shows why the first two failed", () => {
  const failed_attempts = [
    { attempt: 2, error_code: "low_battery", error_message: "12 % left", failed_at: "2026-05-04T11:00:00Z" },
    { attempt: 1, error_code: "timeout", error_message: null, failed_at: "2026-05-04T10:00:00Z" },
  ];
  render(<UpdateSteps row={update({ attempt: 3, failures: 2, failed_attempts })} maxAttempts={3} />);
  expect(screen.getByText("Attempt 3 · 2 failures of 3")).toBeDefined();
  expect(screen.getByText("2 attempts failed before")).toBeDefined();
  const [second, first] = screen.getAllByRole("listitem");
  expect(second!.textContent).toContain("Attempt 2 · Battery too low");
  expect(second!.textContent).toContain("“12 % left”");
  expect(first!.textContent).toContain("Attempt 1 · Took longer than its time limit");
});

test("an offline device that has never failed has all its failures before it", () => {
  render(<UpdateSteps row={update({ status: "PENDING", attempt: 3, wait: "offline" })} maxAttempts={3} />);
  expect(screen.getByText("Attempt 3 · no failure of 3")).toBeDefined();
});

test("no device is promised to be sent by a paused campaign, nor a skipped one ever", () => {
  render(<UpdateSteps row={update({ status: "PENDING", attempt: 1, wait: "offline" })} paused />);
  expect(screen.getByText("Offline; is sent once the campaign is resumed and it is heard")).toBeDefined();
  render(<UpdateSteps row={update({ status: "SKIPPED", attempt: 0, skip_reason: "aborted" })} />);
  expect(screen.getByText("Never sent")).toBeDefined();
});
