/** Around every page: sidebar, or a top bar below 1024 px; theme, account, command palette. */
import { Dialog } from "@base-ui/react/dialog";
import { Activity, BookOpen, Boxes, ChevronsUpDown, LayoutGrid, LogOut, Menu as MenuIcon, Moon, Package, Radio, Rocket, Search, Sun, X, type LucideIcon } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";
import { NavLink, Outlet } from "react-router";
import { Toaster } from "sonner";
import { Button } from "@/components/ui/button";
import { Menu, MenuItem, MenuLink } from "@/components/ui/menu";
import { cn } from "@/lib/cn";
import { devices } from "@/lib/format";
import { t } from "@/lib/texts.en";
import { useOverview } from "@/features/overview/queries";
import { signOut, useUser } from "./session";
import { useTheme } from "./theme";

const Palette = lazy(() => import("./Palette"));

const PAGES: { to: string; word: string; icon: LucideIcon; end?: boolean }[] = [
  { to: "/", word: t.nav.overview, icon: LayoutGrid, end: true },
  { to: "/ota/campaigns", word: t.nav.campaigns, icon: Rocket },
  { to: "/ota/firmware", word: t.nav.firmware, icon: Package },
  { to: "/devices", word: t.nav.devices, icon: Radio },
  { to: "/groups", word: t.nav.groups, icon: Boxes },
];

export function Shell() {
  const [theme, toggleTheme] = useTheme();
  const [palette, setPalette] = useState(false);
  useKeys(() => setPalette((open) => !open));
  return (
    <div className="min-h-dvh lg:pl-59">
      <a href="#content" className="sr-only z-50 rounded-lg bg-primary px-4 py-2 text-on-primary focus:not-sr-only focus:fixed focus:top-3 focus:left-3">{t.skipToContent}</a>
      <aside className="fixed inset-y-0 left-0 w-59 border-r border-line bg-side max-lg:hidden">
        <Side theme={theme} toggleTheme={toggleTheme} openPalette={() => setPalette(true)} />
      </aside>
      <TopBar theme={theme} toggleTheme={toggleTheme} openPalette={() => setPalette(true)} />
      <main id="content" tabIndex={-1} className="mx-auto max-w-346 px-4 pt-6 pb-16 outline-none sm:px-8">
        <Outlet />
      </main>
      <Suspense>{palette && <Palette close={() => setPalette(false)} toggleTheme={toggleTheme} />}</Suspense>
      <Toaster theme={theme} position="bottom-right" toastOptions={{ style: { background: "var(--raised)", color: "var(--ink)", borderColor: "var(--line)", fontFamily: "var(--font-sans)" }, classNames: { description: "text-ink-2!" } }} />
    </div>
  );
}

/** Ctrl or ⌘ K opens the palette, / goes to the page's search. */
function useKeys(togglePalette: () => void) {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key === "k" && (event.metaKey || event.ctrlKey)) {
        event.preventDefault();
        togglePalette();
      }
      const typing = event.target instanceof HTMLElement && event.target.closest("input, textarea, [contenteditable], [role=dialog]");
      const search = document.querySelector<HTMLInputElement>("[data-search]");
      if (event.key === "/" && !typing && search) {
        event.preventDefault();
        search.focus();
      }
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  });
}

interface BarProps {
  theme: string;
  toggleTheme: () => void;
  openPalette: () => void;
}

function Side({ theme, toggleTheme, openPalette, onGo }: BarProps & { onGo?: () => void }) {
  return (
    <div className="flex h-full flex-col px-3 pt-4 pb-3">
      <Brand />
      <TenantCard />
      <button type="button" onClick={openPalette} className="mt-4 flex h-9 items-center gap-2.5 rounded-lg border border-line bg-card px-3 text-xs text-ink-3 transition-colors hover:border-line-strong">
        <Search aria-hidden className="size-4" /> <span className="flex-1 text-left">{t.nav.search}</span>
        <kbd className="rounded bg-neutral-tint px-1.5 font-sans text-[11px] text-ink-2">{navigator.platform.startsWith("Mac") ? "⌘K" : "Ctrl K"}</kbd>
      </button>
      <nav aria-label={t.nav.label} className="mt-3 flex-1 space-y-1 overflow-y-auto">
        {PAGES.map((page) => <PageLink key={page.to} {...page} onGo={onGo} />)}
      </nav>
      <Account theme={theme} toggleTheme={toggleTheme} />
    </div>
  );
}

function Brand() {
  return (
    <span className="flex items-center gap-3 px-2 text-sm font-semibold">
      <span className="grid size-7 place-items-center rounded-lg bg-primary text-on-primary"><Activity aria-hidden className="size-4" /></span>
      {t.product}
    </span>
  );
}

const initials = (name: string) => name.split(/[\s._-]+/).map((word) => word[0]).join("").slice(0, 2).toUpperCase();

function TenantCard() {
  const user = useUser();
  const overview = useOverview();
  return (
    <Menu
      align="start"
      trigger={
        <button type="button" className="mt-4 flex w-full items-center gap-3 rounded-lg border border-line bg-card px-3 py-2.5 text-left shadow-card transition-colors hover:border-line-strong">
          <span aria-hidden className="grid size-7 place-items-center rounded-md bg-flight-tint text-[11px] font-semibold text-flight-text">{initials(user.tenant)}</span>
          <span className="min-w-0 flex-1">
            <span className="block truncate text-[13px] font-medium">{user.tenant}</span>
            <span className="block text-xs text-ink-3">{overview.data ? devices(overview.data.devices_total) : "–"}</span>
          </span>
          <ChevronsUpDown aria-hidden className="size-4 text-ink-3" />
        </button>
      }
    >
      <MenuItem icon={LogOut} onClick={() => void signOut()}>{t.nav.switchTenant}</MenuItem>
    </Menu>
  );
}

function PageLink({ to, word, icon: Icon, end, onGo }: (typeof PAGES)[number] & { onGo?: () => void }) {
  const overview = useOverview();
  const running = to === "/ota/campaigns" ? (overview.data?.running.length ?? 0) : 0;
  return (
    <NavLink to={to} end={end} onClick={onGo} className={({ isActive }) => cn("flex h-9 items-center gap-3 rounded-lg border px-3 text-[13px] font-medium transition-colors", isActive ? "border-line bg-card text-ink shadow-card" : "border-transparent text-ink-2 hover:bg-neutral-tint hover:text-ink")}>
      <Icon aria-hidden className="size-4" />
      <span className="flex-1">{word}</span>
      {running > 0 && (
        <span className="flex items-center gap-2 text-xs text-ink-2" title={t.nav.running(running)}>
          <span aria-hidden className="size-1.5 rounded-full bg-success" /> {running} <span className="sr-only">{t.campaignStatus.RUNNING}</span>
        </span>
      )}
    </NavLink>
  );
}

function Account({ theme, toggleTheme }: Pick<BarProps, "theme" | "toggleTheme">) {
  const user = useUser();
  return (
    <div className="flex items-center gap-1 border-t border-line pt-3">
      <Menu
        align="start"
        trigger={
          <button type="button" aria-label={`${t.nav.account}: ${user.name}`} className="flex min-w-0 flex-1 items-center gap-3 rounded-lg px-2 py-1.5 text-left transition-colors hover:bg-neutral-tint">
            <span aria-hidden className="grid size-7 place-items-center rounded-full bg-neutral-tint text-[11px] font-semibold text-ink-2">{initials(user.name)}</span>
            <span className="min-w-0">
              <span className="block truncate text-[13px] font-medium">{user.name}</span>
              <span className="block truncate text-xs text-ink-3">{user.roles.map((role) => t.roles[role].name).join(", ")}</span>
            </span>
          </button>
        }
      >
        <MenuLink icon={BookOpen} href="/docs/">{t.nav.api}</MenuLink>
        <MenuItem icon={LogOut} onClick={() => void signOut()}>{t.nav.signOut}</MenuItem>
      </Menu>
      <ThemeButton theme={theme} toggleTheme={toggleTheme} />
    </div>
  );
}

function ThemeButton({ theme, toggleTheme }: Pick<BarProps, "theme" | "toggleTheme">) {
  const word = theme === "dark" ? t.nav.light : t.nav.dark;
  return (
    <Button kind="quiet" size="icon" aria-label={word} title={word} onClick={toggleTheme}>
      {theme === "dark" ? <Sun aria-hidden /> : <Moon aria-hidden />}
    </Button>
  );
}

function TopBar({ theme, toggleTheme, openPalette }: BarProps) {
  const [open, setOpen] = useState(false);
  return (
    <header className="sticky top-0 z-30 flex h-14 items-center gap-2 border-b border-line bg-side px-3 lg:hidden">
      <Button kind="quiet" size="icon" aria-label={t.nav.menu} onClick={() => setOpen(true)}><MenuIcon aria-hidden /></Button>
      <Brand />
      <span className="flex-1" />
      <Button kind="quiet" size="icon" aria-label={t.nav.search} onClick={openPalette}><Search aria-hidden /></Button>
      <ThemeButton theme={theme} toggleTheme={toggleTheme} />
      <Dialog.Root open={open} onOpenChange={setOpen}>
        <Dialog.Portal>
          <Dialog.Backdrop className="fixed inset-0 z-40 bg-overlay transition-opacity duration-150 data-[ending-style]:opacity-0 data-[starting-style]:opacity-0" />
          <Dialog.Popup aria-label={t.nav.menu} className="fixed inset-y-0 left-0 z-50 w-70 max-w-[85vw] border-r border-line bg-side shadow-raised transition duration-150 data-[ending-style]:-translate-x-4 data-[ending-style]:opacity-0 data-[starting-style]:-translate-x-4 data-[starting-style]:opacity-0">
            <Dialog.Close aria-label={t.close} className="absolute top-3.5 right-3 grid size-8 place-items-center rounded-lg text-ink-2 hover:bg-neutral-tint"><X aria-hidden className="size-4" /></Dialog.Close>
            <Side theme={theme} toggleTheme={toggleTheme} openPalette={() => (setOpen(false), openPalette())} onGo={() => setOpen(false)} />
          </Dialog.Popup>
        </Dialog.Portal>
      </Dialog.Root>
    </header>
  );
}
