import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode, useMemo } from "react";
import { createRoot } from "react-dom/client";
import { RouterProvider } from "react-router";
import { Refusal } from "@/api/problem";
import { makeRouter } from "@/app/router";
import { startSession, useSession } from "@/app/session";
import { FormError } from "@/components/ui/form";
import { Door, SignInPage } from "@/features/signin/SignInPage";
import { t } from "@/lib/texts.en";
import "./styles.css";

/** What the server refused it refuses again; what failed on the way is tried twice more. */
const retry = (failures: number, error: Error) => failures < 2 && !(error instanceof Refusal && error.status >= 400 && error.status < 500);

function App() {
  const session = useSession();
  switch (session.phase) {
    case "loading":
      return null;
    case "broken":
      return (
        <Door title={t.signIn.broken} hint=" ">
          <FormError>{session.detail}</FormError>
        </Door>
      );
    case "out":
      return <SignInPage config={session.config} detail={session.detail} />;
    case "in":
      return <Console key={`${session.user.tenant} ${session.user.roles.join()}`} />;
  }
}

/** Nothing of one tenant or role is kept for the next. */
function Console() {
  const client = useMemo(() => new QueryClient({ defaultOptions: { queries: { retry, staleTime: 1000 } } }), []);
  const router = useMemo(() => makeRouter(), []);
  return (
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  );
}

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
void startSession();
