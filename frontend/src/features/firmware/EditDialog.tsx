/** Puts the address or the description of a version right; what the version is cannot change. */
import { useForm, useWatch } from "react-hook-form";
import { toast } from "sonner";
import { asRefusal } from "@/api/problem";
import type { Firmware } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { FormError, TextField } from "@/components/ui/form";
import { t } from "@/lib/texts.en";
import { AddressQuestion, useAskFirst } from "./address";
import { useChange } from "./queries";

interface Fields {
  file_url: string;
  description: string;
}

export function EditDialog({ firmware, open, onOpenChange }: { firmware: Firmware; open: boolean; onOpenChange: (open: boolean) => void }) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={t.editFirmware.title(firmware.version)} hint={t.editFirmware.says}>
      <EditForm firmware={firmware} done={() => onOpenChange(false)} />
    </Dialog>
  );
}

function EditForm({ firmware, done }: { firmware: Firmware; done: () => void }) {
  const { register, handleSubmit, formState, setError, control } = useForm<Fields>({ defaultValues: { file_url: firmware.file_url, description: firmware.description ?? "" } });
  const save = useChange(firmware.id);
  const first = useAskFirst();
  const { errors } = formState;
  const refused = (error: Error) => {
    for (const { field, detail } of asRefusal(error).fields) setError(field as keyof Fields, { message: detail });
  };
  const submit = handleSubmit(({ file_url, description }) => {
    const change = () =>
      save.mutate(
        { ...(file_url !== firmware.file_url && { file_url }), description: description.trim() || null },
        {
          onSuccess: () => {
            toast.success(t.editFirmware.done(firmware.version));
            done();
          },
          onError: refused,
        },
      );
    if (file_url === firmware.file_url) change();
    else first.ask({ file_url, file_size_bytes: firmware.file_size_bytes }, change, refused);
  });
  const error = save.error ?? first.error;
  const refusal = error && asRefusal(error);
  const warning = first.about({ file_url: useWatch({ control, name: "file_url" }), file_size_bytes: firmware.file_size_bytes });
  return (
    <form noValidate onSubmit={(event) => void submit(event)} className="space-y-4">
      <TextField label={t.registerFirmware.url} hint={t.registerFirmware.urlHint} inputMode="url" error={errors.file_url?.message} {...register("file_url", { validate: (text) => text.trim() !== "" || t.create.required })} />
      <TextField label={`${t.registerFirmware.description} (${t.optional})`} maxLength={2000} error={errors.description?.message} {...register("description")} />
      {refusal && refusal.fields.length === 0 && <FormError>{refusal.detail}</FormError>}
      {warning && <AddressQuestion warning={warning} />}
      <div className="flex justify-end gap-2 pt-1">
        <Button onClick={done}>{t.cancel}</Button>
        <Button kind="primary" type="submit" disabled={save.isPending || first.asking}>
          {first.asking ? t.firmware.address.asking : warning ? t.editFirmware.goAnyway : t.editFirmware.go}
        </Button>
      </div>
    </form>
  );
}
