/** The door: the organisation's sign-in, or in a stack on one's own machine any tenant and role. */
import { Activity, LogIn } from "lucide-react";
import { useId, useState, type FormEvent } from "react";
import type { Config } from "@/app/config";
import { ROLES, signInLocally, signInWithProvider, type Role } from "@/app/session";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { FormError, TextField } from "@/components/ui/form";
import { cn } from "@/lib/cn";
import { t } from "@/lib/texts.en";

export function SignInPage({ config, detail }: { config: Config; detail?: string }) {
  const local = config.auth.mode === "local";
  return (
    <Door title={t.signIn.title} hint={local ? t.signIn.localHint : t.signIn.oidcHint}>
      {detail && <div className="mb-4"><FormError>{detail}</FormError></div>}
      {local ? <LocalForm config={config} /> : <ProviderButton config={config} />}
    </Door>
  );
}

export function Door({ title, hint, children }: { title: string; hint?: string; children: React.ReactNode }) {
  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10">
      <div className="w-full max-w-100">
        <div className="mb-6 flex items-center justify-center gap-3 text-base font-semibold">
          <span className="grid size-9 place-items-center rounded-[10px] bg-primary text-on-primary"><Activity aria-hidden className="size-5" /></span>
          {t.product}
        </div>
        <Card className="p-6">
          <h1 className="text-lg font-semibold">{title}</h1>
          {hint && <p className="mt-1 mb-5 text-[13px] text-ink-2">{hint}</p>}
          {children}
        </Card>
      </div>
    </main>
  );
}

function LocalForm({ config }: { config: Config }) {
  const [tenant, setTenant] = useState("demo");
  const [role, setRole] = useState<Role>("operator");
  const [wrong, setWrong] = useState("");
  const group = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signInLocally(config, tenant.trim(), role).catch((error: unknown) => setWrong(error instanceof Error ? error.message : String(error)));
  };
  return (
    <form onSubmit={submit} noValidate className="space-y-5">
      <TextField label={t.signIn.tenant} hint={t.signIn.tenantHint} value={tenant} onChange={(event) => setTenant(event.target.value)} maxLength={128} autoComplete="organization" error={wrong} />
      <fieldset>
        <legend className="mb-1.5 text-[13px] font-medium">{t.signIn.role}</legend>
        <div className="space-y-2">
          {ROLES.map((each) => (
            <label key={each} className={cn("flex cursor-pointer items-start gap-3 rounded-lg border px-3 py-2.5 transition-colors has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent", each === role ? "border-primary bg-sunken" : "border-line hover:border-line-strong")}>
              <input type="radio" name={group} value={each} checked={each === role} onChange={() => setRole(each)} className="mt-0.5 size-4 accent-primary" />
              <span className="text-[13px]">
                <span className="font-medium">{t.roles[each].name}</span>
                <span className="block text-xs text-ink-3">{t.roles[each].may}</span>
              </span>
            </label>
          ))}
        </div>
      </fieldset>
      <Button type="submit" kind="primary" disabled={!tenant.trim()} className="w-full"><LogIn aria-hidden /> {t.signIn.go}</Button>
    </form>
  );
}

function ProviderButton({ config }: { config: Config }) {
  const [wrong, setWrong] = useState("");
  const go = () => signInWithProvider(config).catch((error: unknown) => setWrong(error instanceof Error ? error.message : String(error)));
  return (
    <div className="space-y-4">
      {wrong && <FormError>{wrong}</FormError>}
      <Button kind="primary" className="w-full" onClick={() => void go()}><LogIn aria-hidden /> {t.signIn.withProvider}</Button>
    </div>
  );
}
