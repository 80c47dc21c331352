import { useQuery } from "@tanstack/react-query";
import { fetchApi } from "@/api/client";
import type { Campaign } from "@/api/types";

export interface Overview {
  waiting: { campaign_id: number; name: string; why: "approval" | "gate_failed" | "aborted" | "firmware_withdrawn" | "slow"; since: string; detail: string | null }[];
  running: Campaign[];
  versions: { device_type: string; version: string | null; devices: number }[];
  failures: { error_code: string; devices: number }[];
  devices_total: number;
  heard_last_hour: number;
}

export function useOverview() {
  return useQuery({
    queryKey: ["overview"],
    queryFn: async () => (await (await fetchApi("/customer/ota/overview")).json()) as Overview,
    refetchInterval: 10_000,
  });
}
