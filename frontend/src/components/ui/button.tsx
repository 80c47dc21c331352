import { cva, type VariantProps } from "class-variance-authority";
import type { ComponentProps } from "react";
import { Link } from "react-router";
import { cn } from "@/lib/cn";

const look = cva(
  "inline-flex shrink-0 items-center justify-center gap-2 rounded-lg text-[13px] font-medium whitespace-nowrap transition-colors duration-150 disabled:opacity-50 [&_svg]:size-4 [&_svg]:shrink-0",
  {
    variants: {
      kind: {
        primary: "bg-primary text-on-primary hover:opacity-90",
        plain: "border border-line bg-card text-ink shadow-card hover:border-line-strong hover:bg-sunken",
        quiet: "text-ink-2 hover:bg-neutral-tint hover:text-ink",
        danger: "bg-danger text-white hover:opacity-90",
        warn: "border border-line bg-card text-failed-text shadow-card hover:border-failed hover:bg-failed-tint",
      },
      size: { normal: "h-9 px-3.5", small: "h-8 px-2.5 text-xs", icon: "size-9", "small-icon": "size-7" },
    },
    defaultVariants: { kind: "plain", size: "normal" },
  },
);

type Look = VariantProps<typeof look>;

export function Button({ kind, size, className, type = "button", ...rest }: ComponentProps<"button"> & Look) {
  return <button type={type} className={cn(look({ kind, size }), className)} {...rest} />;
}

export function ButtonLink({ kind, size, className, ...rest }: ComponentProps<typeof Link> & Look) {
  return <Link className={cn(look({ kind, size }), className)} {...rest} />;
}
