/** Campaigns for tests: a whole one, of which a test changes what it is about. */
import type { Campaign, DeviceUpdate, Stage } from "@/api/types";
import type { Counts } from "@/lib/status";

export const NOW = Date.parse("2026-05-04T12:00:00Z");
export const at = (secondsFromNow: number) => new Date(NOW + secondsFromNow * 1000).toISOString();

const NONE = { PENDING: 0, QUEUED: 0, DISPATCHED: 0, DOWNLOADING: 0, INSTALLING: 0, SUCCESS: 0, FAILED: 0, SKIPPED: 0 };

export const counts = (some: Counts) => ({ ...NONE, ...some });

export function stage(some: Partial<Stage> = {}): Stage {
  return {
    number: 0,
    name: "all",
    share: null,
    count: null,
    rollout_rate: 1200,
    soak_seconds: 0,
    min_success: 0,
    approval: false,
    status: "RUNNING",
    total: 1000,
    status_breakdown: counts({ PENDING: 1000 }),
    soak_until: null,
    approved_by: null,
    approved_at: null,
    needed: null,
    stuck_since: null,
    ...some,
  };
}

export function campaign(some: Partial<Campaign> = {}): Campaign {
  return {
    id: 7,
    name: "Thermostat 2.1.0",
    firmware_version_id: 1,
    firmware_version: "2.1.0",
    firmware_device_type: "thermostat",
    target_group_id: "eu",
    target_of: null,
    rollout_strategy: "linear",
    rollout_rate: 1200,
    abort_threshold: 0.1,
    abort_rule: "ratio",
    abort_min_devices: 1,
    abort_confidence: 0.95,
    max_attempts: 3,
    attempt_timeout_seconds: 3600,
    max_in_flight: null,
    ramp_start: null,
    ramp_factor: 1,
    end_at: null,
    status: "RUNNING",
    epoch: 1,
    total_devices: 1000,
    succeeded: 0,
    failed: 0,
    status_breakdown: counts({ PENDING: 1000 }),
    waiting: { offline: 0, refused: 0, retry: 0 },
    current_stage: 0,
    stages: [stage()],
    dispatched_devices: 0,
    failing_devices: 0,
    e_value: null,
    abort_at: null,
    status_reason: null,
    firmware_withdrawal: null,
    created_at: at(-7200),
    created_by: "ada",
    started_at: at(-3600),
    completed_at: null,
    actual_rate: 1190,
    eta: null,
    reasons: [],
    ...some,
  };
}

/** A device's row in a campaign. */
export function update(some: Partial<DeviceUpdate> = {}): DeviceUpdate {
  return {
    campaign_id: 7,
    version: "2.0.0",
    device_id: "d1",
    stage: 0,
    status: "SUCCESS",
    attempt: 1,
    failures: 0,
    progress_pct: 0,
    error_code: null,
    error_message: null,
    skip_reason: null,
    wait: null,
    next_attempt_at: null,
    queued_at: null,
    dispatched_at: null,
    started_at: null,
    last_report_at: null,
    completed_at: null,
    created_at: at(-1000),
    failed_attempts: [],
    ...some,
  };
}
