/** How the tenant's fleet and campaigns are. */
import { useQuery } from "@tanstack/react-query";
import { api, body } from "@/api/client";

export function useOverview() {
  return useQuery({ queryKey: ["overview"], queryFn: () => body(api.GET("/customer/ota/overview")), refetchInterval: 10_000 });
}
