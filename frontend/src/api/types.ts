/** The API's types by the names that the console uses. */
import type { components as campaign } from "./campaign";
import type { components as catalog } from "./catalog";

type FromCampaign = campaign["schemas"];
type FromCatalog = catalog["schemas"];

export type Campaign = FromCampaign["Campaign"];
export type Controlled = FromCampaign["ControlledCampaign"];
export type CampaignSummary = FromCampaign["CampaignSummary"];
export type History = FromCampaign["History"];
export type Overview = FromCampaign["Overview"];
export type FirmwareUsage = FromCampaign["FirmwareUsage"];
export type CampaignList = FromCampaign["CampaignList"];
export type Preview = FromCampaign["Preview"];
export type Stage = FromCampaign["Stage"];
export type CampaignStatus = FromCampaign["CampaignStatus"];
export type NewCampaign = FromCampaign["NewCampaign"];
export type NewStage = FromCampaign["NewStage"];
export type DeviceRow = FromCampaign["DeviceRow"];
export type DeviceUpdate = FromCampaign["DeviceUpdate"];
export type Device = FromCampaign["Device"];
export type DeviceDetail = FromCampaign["DeviceDetail"];
export type Imported = FromCampaign["ImportResult"];
export type Group = FromCampaign["Group"];
export type TimelineEntry = FromCampaign["TimelineEntry"];
export type Firmware = FromCatalog["Firmware"];
export type Address = FromCatalog["Address"];
export type AddressWarning = FromCatalog["AddressWarning"];
export type FileToFind = FromCatalog["FileToFind"];
export type FirmwareChange = FromCatalog["FirmwareChange"];
export type NewFirmware = FromCatalog["NewFirmware"];
export type Problem = FromCampaign["Problem"];
