/** Devices and groups from the server, and what people do to them. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, body, fetchApi } from "@/api/client";
import { useIntention, type Once } from "@/api/intention";
import { Refusal } from "@/api/problem";
import type { Imported } from "@/api/types";

const encoded = encodeURIComponent;

export function useDevices(search: string, groupId: string) {
  return useInfiniteQuery({
    queryKey: ["devices", search, groupId],
    queryFn: ({ pageParam }) =>
      body(api.GET("/customer/devices", { params: { query: { limit: 100, ...(search && { search }), ...(groupId && { group_id: groupId }), ...(pageParam && { after: pageParam }) } } })),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last?.next,
    placeholderData: (before) => before,
  });
}

export function useDevice(id: string | null) {
  return useQuery({
    queryKey: ["device", id],
    queryFn: () => body(api.GET("/customer/devices/{device_id}", { params: { path: { device_id: id! } } })),
    enabled: id !== null,
    refetchInterval: 5000,
  });
}

export function useGroups() {
  return useInfiniteQuery({
    queryKey: ["groups", "list"],
    queryFn: ({ pageParam }) => body(api.GET("/customer/device-groups", { params: { query: { limit: 100, ...(pageParam && { after: pageParam }) } } })),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last?.next,
  });
}

export function useGroup(id: string | null) {
  return useQuery({
    queryKey: ["group", id],
    queryFn: () => body(api.GET("/customer/device-groups/{group_id}", { params: { path: { group_id: id! } } })),
    enabled: id !== null,
  });
}

/** After any change of devices or groups everything about them is read again. */
function useFleetChanged() {
  const client = useQueryClient();
  return () => Promise.all(["devices", "device", "groups", "group", "overview"].map((name) => client.invalidateQueries({ queryKey: [name] })));
}

export function useMakeGroup() {
  const onSuccess = useFleetChanged();
  return useIntention((group: { group_id: string; name: string; description: string | null }, headers) => body(api.POST("/customer/device-groups", { headers, body: group })), { onSuccess });
}

export function useDeleteGroup() {
  const onSuccess = useFleetChanged();
  return useMutation({ mutationFn: (id: string) => fetchApi(`/customer/device-groups/${encoded(id)}`, { method: "DELETE" }), onSuccess });
}

export function useRemoveMember(groupId: string) {
  const onSuccess = useFleetChanged();
  return useIntention(
    (deviceId: string, headers) => body(api.POST("/customer/device-groups/{group_id}/members/remove", { params: { path: { group_id: groupId } }, headers, body: { device_ids: [deviceId] } })),
    { onSuccess },
  );
}

export function useAddDevice() {
  const onSuccess = useFleetChanged();
  return useIntention((device: { device_id: string; device_type: string; current_version: string | null }, headers) => body(api.POST("/customer/devices", { headers, body: device })), { onSuccess });
}

const IMPORT_TIMEOUT_MS = 300_000;

/** Sends a CSV; with `dryRun` nothing is kept. Raises Refusal with the wrong lines. */
export async function importCsv(csv: Blob, groupId: string, dryRun: boolean, once?: Once): Promise<Imported> {
  const query = new URLSearchParams({ ...(groupId && { group_id: groupId }), ...(dryRun && { dry_run: "true" }) });
  const response = await fetchApi(`/customer/devices/import?${query}`, {
    method: "POST",
    headers: { "Content-Type": "text/csv", ...once },
    body: csv,
    signal: AbortSignal.timeout(IMPORT_TIMEOUT_MS),
  });
  return (await response.json()) as Imported;
}

export type Checked = { good: Imported } | { refusal: Refusal };

export function useCheck(csv: Blob | null, groupId: string, version: number) {
  return useQuery({
    queryKey: ["import-check", version, groupId],
    queryFn: async (): Promise<Checked> => {
      try {
        return { good: await importCsv(csv!, groupId, true) };
      } catch (error) {
        if (error instanceof Refusal && error.status === 422) return { refusal: error };
        throw error;
      }
    },
    enabled: csv !== null,
    retry: false,
    gcTime: 0,
  });
}

export function useImport() {
  const onSuccess = useFleetChanged();
  return useIntention(({ csv, groupId }: { csv: Blob; groupId: string }, once) => importCsv(csv, groupId, false, once), { onSuccess });
}
