/** Registers a version: drop its file, and size and SHA-256 are filled in. */
import { FileCheck } from "lucide-react";
import { useEffect, useState } from "react";
import { useForm, useWatch } from "react-hook-form";
import { toast } from "sonner";
import { asRefusal } from "@/api/problem";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Drop } from "@/components/ui/drop";
import { FormError, TextField } from "@/components/ui/form";
import { Meter } from "@/components/ui/state-bar";
import { bytes } from "@/lib/format";
import { t } from "@/lib/texts.en";
import { AddressQuestion, useAskFirst } from "./address";
import { useRegister } from "./queries";
import { useHash, type Hashing } from "./use-hash";

interface Fields {
  version: string;
  device_type: string;
  file_url: string;
  file_size_bytes: string;
  checksum_sha256: string;
  description: string;
}

export function RegisterDialog({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={t.registerFirmware.title} wide>
      <RegisterForm done={() => onOpenChange(false)} />
    </Dialog>
  );
}

/** `2.1.0` out of `gw2-2.1.0.bin`. */
export const versionIn = (name: string) => /(\d+(?:\.\d+)+(?:[-+][\w.]+?)?)(?=\.[a-z]\w*$|$)/i.exec(name)?.[1] ?? "";

function RegisterForm({ done }: { done: () => void }) {
  const [file, setFile] = useState<File | null>(null);
  const hashing = useHash(file);
  const { register, handleSubmit, formState, setValue, getValues, setError, control } = useForm<Fields>({ defaultValues: { version: "", device_type: "", file_url: "", file_size_bytes: "", checksum_sha256: "", description: "" } });
  const save = useRegister();
  const first = useAskFirst();
  const { errors } = formState;
  const needed = { validate: (text: string) => text.trim() !== "" || t.create.required };

  const sha256 = hashing.state === "done" ? hashing.sha256 : null;
  useEffect(() => {
    if (sha256) setValue("checksum_sha256", sha256, { shouldValidate: true });
  }, [sha256, setValue]);
  const choose = (chosen: File) => {
    setFile(chosen);
    setValue("file_size_bytes", String(chosen.size), { shouldValidate: true });
    setValue("checksum_sha256", "");
    if (!getValues("version")) setValue("version", versionIn(chosen.name));
    if (!getValues("file_url")) setValue("file_url", `${location.origin}/files/${encodeURIComponent(chosen.name)}`);
  };
  const refused = (error: Error) => {
    for (const { field, detail } of asRefusal(error).fields) setError(field.replace(/^body\./, "") as keyof Fields, { message: detail });
  };
  const submit = handleSubmit(({ device_type, description, file_size_bytes, ...rest }) => {
    const size = Number(file_size_bytes);
    const go = () =>
      save.mutate(
        { ...rest, file_size_bytes: size, device_type: device_type.trim() || null, description: description.trim() || null },
        {
          onSuccess: () => {
            toast.success(t.registerFirmware.done(rest.version));
            done();
          },
          onError: refused,
        },
      );
    first.ask({ file_url: rest.file_url, file_size_bytes: size }, go, refused);
  });
  const error = save.error ?? first.error;
  const refusal = error && asRefusal(error);
  const [url, size] = useWatch({ control, name: ["file_url", "file_size_bytes"] });
  const warning = first.about({ file_url: url, file_size_bytes: Number(size) });
  return (
    <form noValidate onSubmit={(event) => void submit(event)} className="space-y-4">
      <Drop label={t.registerFirmware.drop} hint={t.registerFirmware.dropHint} onFile={choose} />
      {file && <Chosen file={file} hashing={hashing} />}
      <div className="grid gap-4 sm:grid-cols-2">
        <TextField label={t.registerFirmware.version} maxLength={100} autoComplete="off" error={errors.version?.message} {...register("version", needed)} />
        <TextField label={t.registerFirmware.type} maxLength={128} hint={t.registerFirmware.typeHint} error={errors.device_type?.message} {...register("device_type")} />
        <TextField className="sm:col-span-2" label={t.registerFirmware.url} hint={t.registerFirmware.urlHint} inputMode="url" error={errors.file_url?.message} {...register("file_url", { validate: (text) => /^https?:\/\/[^\s/?#]+\S*$/i.test(text) || t.registerFirmware.urlWrong })} />
        <TextField label={t.registerFirmware.size} inputMode="numeric" error={errors.file_size_bytes?.message} {...register("file_size_bytes", { validate: (text) => /^[1-9]\d*$/.test(text) || t.create.whole(1, 2 ** 40) })} />
        <TextField label={t.registerFirmware.sha} className="font-mono" error={errors.checksum_sha256?.message} {...register("checksum_sha256", { validate: (text) => /^[0-9a-f]{64}$/i.test(text) || t.registerFirmware.shaWrong })} />
        <TextField className="sm:col-span-2" label={`${t.registerFirmware.description} (${t.optional})`} maxLength={2000} error={errors.description?.message} {...register("description")} />
      </div>
      {refusal && refusal.fields.length === 0 && <FormError>{refusal.detail}</FormError>}
      {warning && <AddressQuestion warning={warning} />}
      <div className="flex justify-end gap-2 pt-1">
        <Button onClick={done}>{t.cancel}</Button>
        <Button kind="primary" type="submit" disabled={save.isPending || first.asking || hashing.state === "reading"}>
          {first.asking ? t.firmware.address.asking : warning ? t.registerFirmware.goAnyway : t.registerFirmware.go}
        </Button>
      </div>
    </form>
  );
}

function Chosen({ file, hashing }: { file: File; hashing: Hashing }) {
  return (
    <div role="status" className="flex items-center gap-3 rounded-lg border border-line px-3 py-2.5 text-[13px]">
      <FileCheck aria-hidden className="size-4 shrink-0 text-ink-3" />
      <span className="min-w-0 flex-1">
        <span className="block truncate font-medium">
          {file.name} <span className="font-normal text-ink-3">{bytes(file.size)}</span>
        </span>
        <span className="text-xs text-ink-3">
          {hashing.state === "reading" ? t.registerFirmware.hashing(hashing.part) : hashing.state === "failed" ? t.registerFirmware.hashFailed : t.registerFirmware.hashed}
        </span>
        {hashing.state === "reading" && <Meter part={hashing.part} color="var(--installing)" className="mt-1.5" />}
      </span>
    </div>
  );
}
