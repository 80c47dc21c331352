/** Every view has an address; each page is loaded when it is first shown. */
import { SearchX } from "lucide-react";
import { createBrowserRouter, Navigate, useRouteError } from "react-router";
import { ButtonLink } from "@/components/ui/button";
import { PageHead } from "@/components/ui/page";
import { Empty, Failure, Loading, Skeleton } from "@/components/ui/states";
import { t } from "@/lib/texts.en";
import { Shell } from "./Shell";

const page = (load: () => Promise<{ default: React.ComponentType }>) => async () => ({ Component: (await load()).default });

function Blank() {
  return (
    <Loading>
      <Skeleton className="h-16 w-80 max-w-full" />
      <Skeleton className="h-72" />
    </Loading>
  );
}

function Crashed() {
  const error = useRouteError();
  return (
    <>
      <PageHead title={t.crashed} />
      <Failure error={error} retry={() => location.reload()} />
    </>
  );
}

function NotFound() {
  return (
    <>
      <PageHead title={t.notFound.title} />
      <Empty icon={SearchX} title={t.notFound.title} action={<ButtonLink to="/">{t.notFound.back}</ButtonLink>}>
        {t.notFound.says}
      </Empty>
    </>
  );
}

export const makeRouter = () =>
  createBrowserRouter(
    [
      {
        Component: Shell,
        HydrateFallback: Blank,
        children: [
          {
            ErrorBoundary: Crashed,
            HydrateFallback: Blank,
            children: [
              { index: true, lazy: page(() => import("@/features/overview/OverviewPage")) },
              { path: "ota/campaigns", lazy: page(() => import("@/features/campaigns/CampaignsPage")) },
              { path: "ota/campaigns/new", lazy: page(() => import("@/features/campaigns/NewCampaignPage")) },
              { path: "ota/campaigns/:id", lazy: page(() => import("@/features/campaigns/CampaignPage")) },
              { path: "ota/firmware", lazy: page(() => import("@/features/firmware/FirmwarePage")) },
              { path: "devices", lazy: page(() => import("@/features/fleet/DevicesPage")) },
              { path: "devices/:deviceId", lazy: page(() => import("@/features/fleet/DevicesPage")) },
              { path: "groups", lazy: page(() => import("@/features/fleet/GroupsPage")) },
              { path: "groups/:groupId", lazy: page(() => import("@/features/fleet/GroupPage")) },
              { path: "ota", element: <Navigate to="/ota/campaigns" replace /> },
              { path: "sign-in", element: <Navigate to="/" replace /> },
              { path: "*", Component: NotFound },
            ],
          },
        ],
      },
    ],
    { basename: import.meta.env.BASE_URL.replace(/\/$/, "") },
  );
