/** Fields with label, hint and error, bound to each other for screen readers. */
import { Field as Base } from "@base-ui/react/field";
import { Select as BaseSelect } from "@base-ui/react/select";
import { Switch as BaseSwitch } from "@base-ui/react/switch";
import { Check, ChevronsUpDown, CircleAlert, Search } from "lucide-react";
import type { ComponentProps, ReactNode } from "react";
import { cn } from "@/lib/cn";
import { t } from "@/lib/texts.en";

export const CONTROL =
  "h-9 w-full min-w-0 rounded-lg border border-line-strong bg-card px-3 text-[13px] text-ink transition-colors hover:border-ink-3 aria-invalid:border-failed data-[invalid]:border-failed disabled:opacity-60";

interface Around {
  label: string;
  hint?: ReactNode;
  error?: string;
  className?: string;
}

export function Field({ label, hint, error, className, children }: Around & { children: ReactNode }) {
  return (
    <Base.Root invalid={Boolean(error)} className={cn("min-w-0", className)}>
      <Base.Label className="mb-1.5 block text-[13px] font-medium">{label}</Base.Label>
      {children}
      {error ? (
        <Base.Error match className="mt-1.5 flex items-start gap-1.5 text-xs text-failed-text">
          <CircleAlert aria-hidden className="mt-px size-3.5 shrink-0" />
          {error}
        </Base.Error>
      ) : (
        hint && <Base.Description className="mt-1.5 text-xs text-ink-3">{hint}</Base.Description>
      )}
    </Base.Root>
  );
}

export function TextField({ label, hint, error, className, unit, ...rest }: Around & { unit?: string } & Omit<ComponentProps<"input">, "className">) {
  return (
    <Field label={label} hint={hint} error={error} className={className}>
      <div className="relative">
        <Base.Control render={<input {...rest} />} className={cn(CONTROL, unit && "pr-20")} />
        {unit && <span className="pointer-events-none absolute inset-y-0 right-3 flex items-center text-xs text-ink-3">{unit}</span>}
      </div>
    </Field>
  );
}

export interface Option {
  value: string;
  label: string;
  note?: ReactNode;
}

export function SelectField({ label, hint, error, className, options, value, onChange, placeholder }: Around & { options: Option[]; value: string; onChange: (value: string) => void; placeholder?: string }) {
  const chosen = options.find((option) => option.value === value);
  return (
    <Field label={label} hint={hint} error={error} className={className}>
      <BaseSelect.Root items={options} value={value || null} onValueChange={(next) => onChange(String(next ?? ""))}>
        <BaseSelect.Trigger className={cn(CONTROL, "flex items-center justify-between gap-2 overflow-hidden text-left")}>
          <BaseSelect.Value className="min-w-0 truncate">{() => chosen ? <span className="block truncate">{chosen.label}</span> : <span className="text-ink-3">{placeholder ?? t.choose}</span>}</BaseSelect.Value>
          <BaseSelect.Icon>
            <ChevronsUpDown aria-hidden className="size-4 text-ink-3" />
          </BaseSelect.Icon>
        </BaseSelect.Trigger>
        <BaseSelect.Portal>
          <BaseSelect.Positioner alignItemWithTrigger={false} sideOffset={4} className="z-50 outline-none">
            <BaseSelect.Popup className="max-h-80 min-w-(--anchor-width) overflow-y-auto rounded-lg border border-line bg-raised p-1 shadow-raised outline-none">
              {options.length === 0 && <p className="px-2.5 py-2 text-xs text-ink-3">{t.nothingToChoose}</p>}
              {options.map((option) => (
                <BaseSelect.Item key={option.value} value={option.value} className="flex min-h-9 cursor-pointer items-center gap-2 rounded-md px-2.5 py-1.5 text-[13px] outline-none data-[highlighted]:bg-neutral-tint">
                  <BaseSelect.ItemText className="min-w-0 flex-1 truncate">{option.label}</BaseSelect.ItemText>
                  {option.note && <span className="shrink-0 text-xs text-ink-3">{option.note}</span>}
                  <BaseSelect.ItemIndicator>
                    <Check aria-hidden className="size-4" />
                  </BaseSelect.ItemIndicator>
                </BaseSelect.Item>
              ))}
            </BaseSelect.Popup>
          </BaseSelect.Positioner>
        </BaseSelect.Portal>
      </BaseSelect.Root>
    </Field>
  );
}

export function SwitchField({ label, checked, onChange }: { label: string; checked: boolean; onChange: (on: boolean) => void }) {
  return (
    <label className="flex cursor-pointer items-center gap-2.5 text-[13px]">
      <BaseSwitch.Root checked={checked} onCheckedChange={onChange} className="relative h-5 w-9 shrink-0 rounded-full bg-ink-3 transition-colors data-[checked]:bg-primary">
        <BaseSwitch.Thumb className="absolute top-0.5 left-0.5 size-4 rounded-full bg-card transition-transform data-[checked]:translate-x-4" />
      </BaseSwitch.Root>
      {label}
    </label>
  );
}

export function SearchInput({ label, className, ...rest }: { label: string } & ComponentProps<"input">) {
  return (
    <div className={cn("relative min-w-0", className)}>
      <Search aria-hidden className="pointer-events-none absolute top-2.5 left-3 size-4 text-ink-3" />
      <input type="search" data-search aria-label={label} placeholder={label} maxLength={200} className={cn(CONTROL, "border-line bg-sunken pl-9")} {...rest} />
    </div>
  );
}

/** What concerns no single field. */
export function FormError({ children }: { children: ReactNode }) {
  return (
    <p role="alert" className="flex items-start gap-2 rounded-lg bg-failed-tint px-3 py-2.5 text-[13px] text-failed-text">
      <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
      <span>{children}</span>
    </p>
  );
}
