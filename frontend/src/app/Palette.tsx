/** Everything by keyboard: pages, campaigns, firmware, any device by its id, and a few actions. */
import { useQuery } from "@tanstack/react-query";
import { Command, defaultFilter } from "cmdk";
import { Boxes, LayoutGrid, LogOut, Moon, Package, Plus, Radio, Rocket, Upload, type LucideIcon } from "lucide-react";
import { useState } from "react";
import { useNavigate } from "react-router";
import { api, body } from "@/api/client";
import { useRested } from "@/lib/live/use-live";
import { t } from "@/lib/texts.en";
import { signOut, useMay } from "./session";

const ITEM = "flex h-9 cursor-pointer items-center gap-3 rounded-lg px-3 text-[13px] data-[selected=true]:bg-neutral-tint";
const GROUP = "[&_[cmdk-group-heading]]:px-3 [&_[cmdk-group-heading]]:pt-3 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-ink-3";

interface Found {
  id: number;
  name: string;
}
const valueOf = ({ id, name }: Found) => `campaign ${id} ${name}`;

const DEVICE = "device ";
/** Any text may be a device's id, so that comes last. */
const rank = (value: string, search: string, keywords?: string[]) => (value.startsWith(DEVICE) ? 0.001 : defaultFilter(value, search, keywords));

const NONE: Found[] = [];

export default function Palette({ close, toggleTheme }: { close: () => void; toggleTheme: () => void }) {
  const [text, setText] = useState("");
  const navigate = useNavigate();
  const may = useMay();
  const go = (to: string) => () => {
    close();
    void navigate(to);
  };
  const found = useFound(useRested(text.trim(), 150));
  const [chosen, setChosen] = useState("");
  const [shown, setShown] = useState(found);
  if (found !== shown) {
    // What was found last is what Enter means.
    setShown(found);
    if (text.trim() && found[0]) setChosen(valueOf(found[0]));
  }
  return (
    <Command.Dialog
      open
      onOpenChange={(open) => !open && close()}
      label={t.palette.label}
      value={chosen}
      onValueChange={setChosen}
      filter={rank}
      overlayClassName="fixed inset-0 z-40 bg-overlay"
      contentClassName="fixed top-[12vh] left-1/2 z-50 w-[calc(100vw-2rem)] max-w-140 -translate-x-1/2 overflow-hidden rounded-xl border border-line bg-raised shadow-raised"
    >
      <Command.Input value={text} onValueChange={setText} placeholder={t.palette.placeholder} className="h-13 w-full border-b border-line bg-transparent px-5 text-sm outline-none" />
      <Command.List className="max-h-[50vh] overflow-y-auto p-2">
        <Command.Empty className="px-3 py-6 text-center text-[13px] text-ink-3">{t.palette.nothing}</Command.Empty>
        {found.length > 0 && (
          <Command.Group heading={t.palette.campaigns} className={GROUP}>
            {found.map((campaign) => item(Rocket, campaign.name, go(`/ota/campaigns/${campaign.id}`), valueOf(campaign)))}
          </Command.Group>
        )}
        <Command.Group heading={t.palette.goTo} className={GROUP}>
          {item(LayoutGrid, t.nav.overview, go("/"))}
          {item(Rocket, t.nav.campaigns, go("/ota/campaigns"))}
          {item(Package, t.nav.firmware, go("/ota/firmware"))}
          {item(Radio, t.nav.devices, go("/devices"))}
          {item(Boxes, t.nav.groups, go("/groups"))}
          {text.trim() && item(Radio, t.palette.device(text.trim()), go(`/devices/${encodeURIComponent(text.trim())}`), `${DEVICE}${text}`)}
        </Command.Group>
        <Command.Group heading={t.palette.actions} className={GROUP}>
          {may.operate && item(Plus, t.campaigns.create, go("/ota/campaigns/new"))}
          {may.operate && item(Package, t.firmware.register, go("/ota/firmware?register=1"))}
          {may.operate && item(Upload, t.importing.title, go("/devices?import=1"))}
          {item(Moon, t.palette.theme, () => (toggleTheme(), close()))}
          {item(LogOut, t.nav.signOut, () => void signOut())}
        </Command.Group>
      </Command.List>
    </Command.Dialog>
  );
}

const item = (icon: LucideIcon, word: string, act: () => void, value = word) => (
  <Item key={value} icon={icon} value={value} onSelect={act}>
    {word}
  </Item>
);

function Item({ icon: Icon, value, onSelect, children }: { icon: LucideIcon; value: string; onSelect: () => void; children: string }) {
  return (
    <Command.Item value={value} onSelect={onSelect} className={ITEM}>
      <Icon aria-hidden className="size-4 text-ink-3" />
      <span className="truncate">{children}</span>
    </Command.Item>
  );
}

function useFound(search: string): Found[] {
  const campaigns = useQuery({
    queryKey: ["palette", search],
    queryFn: async () => (await body(api.GET("/customer/ota/campaigns", { params: { query: { limit: 6, ...(search && { search }) } } }))).campaigns.map(({ id, name }) => ({ id, name })),
    placeholderData: (before) => before,
  });
  return campaigns.data ?? NONE;
}
