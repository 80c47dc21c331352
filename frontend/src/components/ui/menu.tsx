import { Menu as Base } from "@base-ui/react/menu";
import type { LucideIcon } from "lucide-react";
import type { ReactElement, ReactNode } from "react";
import { cn } from "@/lib/cn";

export function Menu({ trigger, children, align = "end" }: { trigger: ReactElement; children: ReactNode; align?: "start" | "end" }) {
  return (
    <Base.Root modal={false}>
      <Base.Trigger render={trigger} />
      <Base.Portal>
        <Base.Positioner sideOffset={6} align={align} className="z-50">
          <Base.Popup className="min-w-44 rounded-lg border border-line bg-raised p-1 shadow-raised transition-opacity duration-150 outline-none data-[ending-style]:opacity-0 data-[starting-style]:opacity-0">
            {children}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

const ITEM = "flex h-8 cursor-pointer items-center gap-2.5 rounded-md px-2.5 text-[13px] outline-none data-[highlighted]:bg-neutral-tint";

/** A page outside the console, in a tab of its own. */
export function MenuLink({ icon: Icon, children, href }: { icon?: LucideIcon; children: ReactNode; href: string }) {
  return (
    <Base.LinkItem href={href} target="_blank" rel="noreferrer" className={ITEM}>
      {Icon && <Icon aria-hidden className="size-4" />}
      {children}
    </Base.LinkItem>
  );
}

export function MenuItem({ icon: Icon, children, onClick, danger }: { icon?: LucideIcon; children: ReactNode; onClick: () => void; danger?: boolean }) {
  return (
    <Base.Item onClick={onClick} className={cn(ITEM, danger && "text-failed-text")}>
      {Icon && <Icon aria-hidden className="size-4" />}
      {children}
    </Base.Item>
  );
}
