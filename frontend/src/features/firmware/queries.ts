/** Firmware versions from the server, and what people do to them. */
import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, body } from "@/api/client";
import { useIntention } from "@/api/intention";
import type { NewFirmware } from "@/api/types";

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

export function useWithdraw(id: number) {
  const client = useQueryClient();
  return useIntention((reason: string, headers) => body(api.POST("/customer/firmware/{firmware_id}/withdraw", { params: { path: { firmware_id: id } }, headers, body: { reason } })), {
    onSuccess: () => Promise.all([client.invalidateQueries({ queryKey: ["firmware"] }), client.invalidateQueries({ queryKey: ["firmware-usage"] })]),
  });
}
