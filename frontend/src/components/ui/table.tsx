/** Plain tables of a page: one look, room for the phone. */
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

const PAD = "px-3 first:pl-4 last:pr-4 sm:first:pl-5 sm:last:pr-5";

export const Table = (props: ComponentProps<"table">) => <table className="w-full text-left text-[13px]" {...props} />;
export const Head = ({ children }: ComponentProps<"tr">) => (
  <thead className="bg-sunken text-xs text-ink-2">
    <tr>{children}</tr>
  </thead>
);
export const HeadCell = ({ className, ...rest }: ComponentProps<"th">) => <th scope="col" className={cn(PAD, "py-2.5 font-normal", className)} {...rest} />;
export const Row = ({ className, ...rest }: ComponentProps<"tr">) => <tr className={cn("relative border-t border-line transition-colors hover:bg-sunken", className)} {...rest} />;
export const Cell = ({ className, ...rest }: ComponentProps<"td">) => <td className={cn(PAD, "py-2.5", className)} {...rest} />;
/** Makes the whole row a target, reachable by keyboard through the link or button that carries it. */
export const WHOLE_ROW = "after:absolute after:inset-0";
