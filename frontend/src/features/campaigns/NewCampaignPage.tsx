/** A campaign on one page: presets fill the details, and at the side stands in words what will happen. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Plus, ShieldCheck, Siren, Snail, X, type LucideIcon } from "lucide-react";
import { useEffect, useId } from "react";
import { Controller, useFieldArray, useForm, useWatch, type Control, type FieldErrors, type UseFormReturn } from "react-hook-form";
import { Link, useNavigate, useSearchParams } from "react-router";
import { toast } from "sonner";
import { api, body } from "@/api/client";
import { useIntention } from "@/api/intention";
import { asRefusal } from "@/api/problem";
import { Button } from "@/components/ui/button";
import { Card, CardHead } from "@/components/ui/card";
import { FormError, SelectField, SwitchField, TextField } from "@/components/ui/form";
import { PageHead } from "@/components/ui/page";
import { Failure, Loading, Skeleton } from "@/components/ui/states";
import { cn } from "@/lib/cn";
import { bytes, count, devices } from "@/lib/format";
import { useRested } from "@/lib/live/use-live";
import { t } from "@/lib/texts.en";
import { AddressLine } from "../firmware/address";
import { useChecked } from "../firmware/queries";
import { asRequest, DETAILS, emptyPlan, fieldOf, isPossible, LIMITS, planAgain, PRESETS, STAGE_LIMITS, summary, withinWhole, type Plan, type Preset } from "./plan";
import { LeftBy } from "./parts/target";
import { campaignUrl, createCampaign, preview, useCampaign } from "./queries";

type Form = UseFormReturn<Plan>;
const ICON: Record<Preset, LucideIcon> = { careful: Snail, normal: ShieldCheck, urgent: Siren };

/** As many in a line as leave a value room beside its unit. */
const NUMBERS = "sm:grid-cols-[repeat(auto-fit,minmax(9.5rem,1fr))]";

/** Fields whose rules are of numbers alone. */
const MEASURED = ["stages", ...(Object.keys(LIMITS) as (keyof typeof LIMITS)[])] as const;

export default function NewCampaignPage() {
  const [address] = useSearchParams();
  const of = Number(address.get("of"));
  if (of > 0) return <Again of={of} />;
  return <Planner initial={{ ...emptyPlan(), firmware: address.get("firmware") ?? "", group: address.get("group") ?? "" }} />;
}

/** Filled in with the settings of another campaign, for the devices that it has not updated. */
function Again({ of }: { of: number }) {
  const query = useCampaign(of);
  if (query.data) return <Planner key={of} initial={planAgain(query.data)} />;
  return query.isError ? <Failure error={query.error} retry={() => void query.refetch()} /> : <Loading><Skeleton className="h-96" /></Loading>;
}

function Planner({ initial }: { initial: Plan }) {
  const form = useForm<Plan>({ defaultValues: initial, mode: "onTouched" });
  useEffect(() => {
    // A choice is never blurred, so no rule of the form's own would take the server's error from it.
    const watching = form.watch((_, { name }) => name && form.clearErrors(name));
    return () => watching.unsubscribe();
  }, [form]);
  const navigate = useNavigate();
  const create = useIntention(createCampaign, {
    onSuccess: (campaign) => {
      toast.success(t.create.created);
      void navigate(campaignUrl(campaign.id));
    },
    onError: (error) => {
      for (const { field, detail } of asRefusal(error).fields) form.setError(fieldOf(field) as keyof Plan, { type: "server", message: detail });
    },
  });
  return (
    <>
      <PageHead crumbs={[{ to: "/ota/campaigns", name: t.nav.campaigns }]} title={t.create.title} />
      <form noValidate onSubmit={(event) => void form.handleSubmit((plan) => create.mutate(asRequest(plan)))(event)} className="grid grid-cols-1 items-start gap-5 lg:grid-cols-[minmax(0,1.7fr)_minmax(0,1fr)]">
        <div className="space-y-5">
          <What form={form} />
          <How form={form} />
          <Stages form={form} />
          <Stopping form={form} />
        </div>
        <Aside form={form} busy={create.isPending} refusal={create.error ? asRefusal(create.error) : null} />
      </form>
    </>
  );
}

function What({ form: { control, register, formState } }: { form: Form }) {
  const firmware = useQuery({
    queryKey: ["firmware", "choices"],
    queryFn: async () => (await body(api.GET("/customer/firmware", { params: { query: { limit: 200 } } }))).firmware_versions.filter((version) => version.status === "ACTIVE"),
  });
  const groups = useQuery({ queryKey: ["groups", "choices"], queryFn: async () => (await body(api.GET("/customer/device-groups", { params: { query: { limit: 200 } } }))).groups });
  const { errors } = formState;
  const of = useWatch({ control, name: "of" });
  const versions = (firmware.data ?? []).map((version) => ({ value: String(version.id), label: version.version, note: version.device_type ?? t.everyType }));
  const lists = (groups.data ?? []).map((group) => ({ value: group.group_id, label: group.name, note: devices(group.member_count) }));
  return (
    <Card className="p-4 sm:p-5">
      <CardHead title={t.create.what} />
      <div className="mt-4 grid gap-4 sm:grid-cols-2">
        <TextField className="sm:col-span-2" label={t.create.name} placeholder={t.create.namePlaceholder} maxLength={200} autoComplete="off" error={errors.name?.message} {...register("name", { validate: (text) => text.trim() !== "" || t.create.required })} />
        <Choice control={control} name="firmware" label={t.create.firmware} options={versions} error={errors.firmware?.message} hint={firmware.data?.length === 0 && <Link className="text-accent underline" to="/ota/firmware?register=1">{t.create.noFirmware}</Link>} />
        {of !== null && (
          <div className="text-[13px]">
            <p className="font-medium">{t.rows.title}</p>
            <p className="mt-2 text-ink-2">
              <LeftBy id={of} />
            </p>
            {errors.group?.message && <p role="alert" className="mt-1.5 text-xs text-failed-text">{errors.group.message}</p>}
          </div>
        )}
        {of === null && <Choice control={control} name="group" label={t.create.group} options={lists} error={errors.group?.message} hint={groups.data?.length === 0 && <Link className="text-accent underline" to="/groups?new=1">{t.create.noGroups}</Link>} />}
      </div>
    </Card>
  );
}

interface ChoiceProps {
  control: Control<Plan>;
  name: "firmware" | "group";
  label: string;
  options: { value: string; label: string; note?: string }[];
  error?: string;
  hint?: React.ReactNode;
}

function Choice({ control, name, ...rest }: ChoiceProps) {
  return <Controller control={control} name={name} rules={{ required: t.create.required }} render={({ field }) => <SelectField {...rest} value={field.value} onChange={field.onChange} />} />;
}

function How({ form }: { form: Form }) {
  const chosen = useWatch({ control: form.control, name: "preset" });
  const group = useId();
  const choose = (preset: Preset) => {
    const { name, firmware, group: target, of } = form.getValues();
    form.reset({ name, firmware, group: target, of, ...structuredClone(DETAILS[preset]) }, { keepErrors: false, keepTouched: true });
  };
  return (
    <Card className="p-4 sm:p-5">
      <CardHead title={t.create.how} />
      <div role="radiogroup" aria-label={t.create.how} className="mt-4 grid gap-3 sm:grid-cols-3">
        {PRESETS.map((preset) => {
          const Icon = ICON[preset];
          return (
            <label
              key={preset}
              className={cn(
                "relative cursor-pointer rounded-xl border p-4 transition-colors has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent",
                preset === chosen ? "border-primary bg-sunken" : "border-line hover:border-line-strong",
              )}
            >
              <input type="radio" name={group} value={preset} checked={preset === chosen} onChange={() => choose(preset)} className="absolute top-4 right-4 size-4 accent-primary" />
              <Icon aria-hidden className="size-5 text-ink-2" />
              <span className="mt-3 block text-sm font-semibold">{t.create.presets[preset].name}</span>
              <span className="mt-1 block text-xs text-ink-2">{t.create.presets[preset].says}</span>
            </label>
          );
        })}
      </div>
    </Card>
  );
}

function Stages({ form }: { form: Form }) {
  const { fields, append, remove } = useFieldArray({ control: form.control, name: "stages" });
  const { register, formState } = form;
  return (
    <Card className="p-4 sm:p-5">
      <CardHead title={t.create.stages}>{t.create.stagesHint}</CardHead>
      <div className="mt-4 space-y-3">
        {fields.map((field, place) => (
          <StageFields key={field.id} form={form} place={place} errors={formState.errors} remove={() => remove(place)} />
        ))}
        {fields.length < 10 && (
          <Button size="small" onClick={() => append({ name: fields.length === 0 ? "Canary" : `Stage ${fields.length + 1}`, share: "10", rate: form.getValues("rate"), soakMinutes: "15", minSuccess: "95", approval: false })}>
            <Plus aria-hidden /> {t.create.addStage}
          </Button>
        )}
      </div>
      <div className={cn("mt-5 grid gap-4 border-t border-line pt-5", NUMBERS)}>
        <TextField label={fields.length > 0 ? `${t.create.rate}, last stage` : t.create.rate} unit={t.create.perMinute} inputMode="numeric" error={formState.errors.rate?.message} {...register("rate", { validate: LIMITS.rate })} />
        <TextField label={t.create.rampStart} unit={t.create.devicesUnit} placeholder={t.create.noLimit} inputMode="numeric" error={formState.errors.rampStart?.message} {...register("rampStart", { validate: LIMITS.rampStart })} />
        <TextField label={t.create.maxInFlight} unit={t.create.devicesUnit} placeholder={t.create.noLimit} inputMode="numeric" error={formState.errors.maxInFlight?.message} {...register("maxInFlight", { validate: LIMITS.maxInFlight })} />
      </div>
    </Card>
  );
}

function StageFields({ form, place, errors, remove }: { form: Form; place: number; errors: FieldErrors<Plan>; remove: () => void }) {
  const { register, control } = form;
  const wrong = errors.stages?.[place];
  const name = useWatch({ control, name: `stages.${place}.name` });
  return (
    <fieldset className="rounded-xl bg-sunken p-4">
      <legend className="sr-only">{name}</legend>
      <div className="grid grid-cols-2 gap-3 sm:grid-cols-6">
        <TextField className="sm:col-span-2" label={t.create.stageName} maxLength={100} error={wrong?.name?.message} {...register(`stages.${place}.name`, { validate: (text) => text.trim() !== "" || t.create.required })} />
        <TextField className="sm:col-span-2" label={t.create.stageShare} unit={t.create.percent} inputMode="decimal" error={wrong?.share?.message} {...register(`stages.${place}.share`, { validate: { range: STAGE_LIMITS.share, sum: (_, whole) => withinWhole(whole) } })} />
        <TextField className="sm:col-span-2" label={t.create.rate} unit="/ min" inputMode="numeric" error={wrong?.rate?.message} {...register(`stages.${place}.rate`, { validate: STAGE_LIMITS.rate })} />
        <TextField className="sm:col-span-3" label={t.create.stageMin} unit={t.create.percent} inputMode="decimal" error={wrong?.minSuccess?.message} {...register(`stages.${place}.minSuccess`, { validate: STAGE_LIMITS.minSuccess })} />
        <TextField className="max-sm:col-span-2 sm:col-span-3" label={t.create.stageSoak} unit={t.create.minutes} inputMode="decimal" error={wrong?.soakMinutes?.message} {...register(`stages.${place}.soakMinutes`, { validate: STAGE_LIMITS.soakMinutes })} />
      </div>
      <div className="mt-3 flex flex-wrap items-center justify-between gap-3">
        <Controller control={control} name={`stages.${place}.approval`} render={({ field }) => <SwitchField label={t.create.stageApproval} checked={field.value} onChange={field.onChange} />} />
        <Button kind="quiet" size="small" aria-label={t.create.removeStage(name)} onClick={remove}>
          <X aria-hidden /> Remove
        </Button>
      </div>
    </fieldset>
  );
}

function Stopping({ form: { control, register, formState } }: { form: Form }) {
  const rule = useWatch({ control, name: "rule" });
  const { errors } = formState;
  const rules = [
    { value: "sequential", label: t.create.ruleSequential },
    { value: "ratio", label: t.create.ruleRatio },
  ];
  return (
    <Card className="p-4 sm:p-5">
      <CardHead title={t.create.stop} />
      <div className="mt-4 grid grid-cols-2 gap-4 sm:grid-cols-4">
        <Controller control={control} name="rule" render={({ field }) => <SelectField className="col-span-2" label={t.create.rule} options={rules} value={field.value} onChange={field.onChange} />} />
        <TextField label={t.create.threshold} unit={t.create.percent} inputMode="decimal" error={errors.threshold?.message} {...register("threshold", { validate: LIMITS.threshold })} />
        {rule === "sequential" ? (
          <TextField key="confidence" label={t.create.confidence} unit={t.create.percent} inputMode="decimal" error={errors.confidence?.message} {...register("confidence", { validate: LIMITS.confidence })} />
        ) : (
          <TextField key="least" label={t.create.minDevices} unit={t.create.minDevicesUnit} inputMode="numeric" error={errors.minDevices?.message} {...register("minDevices", { validate: LIMITS.minDevices })} />
        )}
        <TextField className="sm:col-span-2" label={t.create.attempts} inputMode="numeric" error={errors.attempts?.message} {...register("attempts", { validate: LIMITS.attempts })} />
        <TextField className="sm:col-span-2" label={t.create.timeout} unit={t.create.minutes} inputMode="decimal" error={errors.timeoutMinutes?.message} {...register("timeoutMinutes", { validate: LIMITS.timeoutMinutes })} />
      </div>
    </Card>
  );
}

function Aside({ form, busy, refusal }: { form: Form; busy: boolean; refusal: ReturnType<typeof asRefusal> | null }) {
  const plan = useWatch({ control: form.control }) as Plan;
  const typed = JSON.stringify({ ...plan, name: plan.name || "preview" });
  const rested = useRested(typed, 350);
  const settled = rested === typed;
  const asked = JSON.parse(rested) as Plan;
  const ready = Boolean(plan.firmware && (plan.group || plan.of));
  const file = useChecked(Number(plan.firmware) || null);
  const counted = useQuery({
    queryKey: ["preview", rested, file.dataUpdatedAt],
    queryFn: () => preview(asRequest(asked)),
    enabled: Boolean(ready && asked.firmware && (asked.group || asked.of) && isPossible(asked)),
    retry: false,
    placeholderData: keepPreviousData,
  });
  const { data } = counted;
  const known = ready && data && !counted.isError ? data.would_update : null;
  // Errors that belong to a field stand there.
  const general = refusal && refusal.fields.length === 0 ? refusal : null;
  const possible = isPossible(plan);
  useEffect(() => {
    // Also once it is possible again: a share may have been wrong because of another stage's.
    if (settled && (!possible || form.formState.errors.stages)) void form.trigger(MEASURED);
  }, [settled, possible, form]);
  useEffect(() => {
    // An answer to what was typed before marks nothing.
    if (!counted.error || !settled) return;
    for (const { field, detail } of asRefusal(counted.error).fields) {
      const name = fieldOf(field) as keyof Plan;
      form.setError(name, { type: "server", message: detail });
    }
  }, [counted.error, settled, form]);
  return (
    <Card className="p-4 sm:p-5 lg:sticky lg:top-8">
      <CardHead title={t.create.summary} />
      <ol className="mt-4 space-y-3 text-[13px] text-ink-2">
        {(possible ? summary(plan, known) : []).map((line) => (
          <li key={line} className="flex gap-2.5">
            <span aria-hidden className="mt-2 size-1.5 shrink-0 rounded-full bg-ink-3" />
            {line}
          </li>
        ))}
      </ol>
      <div aria-live="polite" className="mt-5 border-t border-line pt-4 text-[13px]">
        {!possible ? (
          <p className="text-failed-text">{settled && t.create.previewRefused}</p>
        ) : !ready ? (
          <p className="text-ink-3">{t.create.previewFill}</p>
        ) : data && !counted.isError ? (
          <>
            <p className="text-[17px] font-semibold">{t.create.willUpdate(data.would_update)}</p>
            <ul className="mt-1.5 space-y-1 text-xs text-ink-2">
              {Object.entries(data.skipped).filter(([, n]) => n > 0).map(([reason, n]) => (
                <li key={reason}>{t.campaign.skippedNote(n, (t.skipped as Record<string, string>)[reason] ?? reason)}</li>
              ))}
              {data.busy_elsewhere > 0 && <li>{t.create.busy(data.busy_elsewhere)}</li>}
              {data.would_update > 0 && <li>{t.create.takes(data.estimated_seconds, bytes(data.bytes))}</li>}
            </ul>
            {!file.isFetching && data.warnings.map((warning) => <div key={warning.code} className="mt-3 text-xs"><AddressLine address={{ warning, checked_at: warning.checked_at }} /></div>)}
            {file.isFetching && <p className="mt-3 text-xs text-ink-3">{t.firmware.address.asking}</p>}
          </>
        ) : counted.isError ? (
          <p className="text-failed-text">{asRefusal(counted.error).fields.length > 0 ? t.create.previewRefused : asRefusal(counted.error).detail}</p>
        ) : (
          <p className="text-ink-3">{t.create.previewCounting}</p>
        )}
      </div>
      {general && (
        <div className="mt-4">
          <FormError>{general.detail}</FormError>
        </div>
      )}
      <Button kind="primary" type="submit" disabled={busy} className="mt-5 w-full">
        {t.create.go}
        {known !== null && known > 0 && <span className="opacity-75">({count(known)})</span>}
      </Button>
    </Card>
  );
}
