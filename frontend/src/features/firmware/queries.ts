/** Firmware versions from the server, and what people do to them. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, body } from "@/api/client";
import { useIntention } from "@/api/intention";
import type { FileToFind, FirmwareChange, NewFirmware } from "@/api/types";

export function useFirmware(search: string) {
  return useInfiniteQuery({
    queryKey: ["firmware", "list", search],
    queryFn: ({ pageParam }) => body(api.GET("/customer/firmware", { params: { query: { limit: 50, ...(search && { search }), ...(pageParam && { after: pageParam }) } } })),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last?.next,
    placeholderData: (before) => before,
  });
}

export function useOneFirmware(id: number | null) {
  return useQuery({
    queryKey: ["firmware", id],
    queryFn: () => body(api.GET("/customer/firmware/{firmware_id}", { params: { path: { firmware_id: id! } } })),
    enabled: id !== null,
  });
}

export function useUsage(id: number | null) {
  return useQuery({
    queryKey: ["firmware-usage", id],
    queryFn: () => body(api.GET("/customer/ota/firmware-usage", { params: { query: { firmware_version_id: id! } } })),
    enabled: id !== null,
    staleTime: 10_000,
  });
}

export function useRegister() {
  const client = useQueryClient();
  return useIntention((firmware: NewFirmware, headers) => body(api.POST("/customer/firmware", { headers, body: firmware })), {
    onSuccess: () => client.invalidateQueries({ queryKey: ["firmware"] }),
  });
}

/** Asks an address before anything is saved with it. */
export function useLook() {
  return useIntention((file: FileToFind, headers) => body(api.POST("/customer/firmware/check/address", { headers, body: file })));
}

export function useChange(id: number) {
  const client = useQueryClient();
  return useIntention((change: FirmwareChange, headers) => body(api.PATCH("/customer/firmware/{firmware_id}", { params: { path: { firmware_id: id } }, headers, body: change })), {
    onSuccess: () => client.invalidateQueries({ queryKey: ["firmware"] }),
  });
}

const checked = (id: number) => body(api.POST("/customer/firmware/{firmware_id}/check", { params: { path: { firmware_id: id } } }));

/** Asks the address of a version again; the server keeps what it answers. */
export function useCheck(id: number) {
  const client = useQueryClient();
  return useMutation({ mutationFn: () => checked(id), onSuccess: () => client.invalidateQueries({ queryKey: ["firmware", id] }) });
}

/** Has the address asked when a version is chosen: the preview tells what it answered. */
export function useChecked(id: number | null) {
  return useQuery({ queryKey: ["firmware-checked", id], queryFn: () => checked(id!), enabled: id !== null, staleTime: 60_000, retry: false });
}

export function useWithdraw(id: number) {
  const client = useQueryClient();
  return useIntention((reason: string, headers) => body(api.POST("/customer/firmware/{firmware_id}/withdraw", { params: { path: { firmware_id: id } }, headers, body: { reason } })), {
    onSuccess: () => Promise.all([client.invalidateQueries({ queryKey: ["firmware"] }), client.invalidateQueries({ queryKey: ["firmware-usage"] })]),
  });
}
