/** Class names joined; of two that set the same property the later wins. */
import { twMerge } from "tailwind-merge";

export const cn = (...names: (string | false | null | undefined)[]) => twMerge(names.filter(Boolean).join(" "));
