import { OPERATORS, type Operator, PROFILES, type Profile } from './world.ts';

/**
 * The identity of a simulated device. The same index in the same organisation gives the same device, also after a
 * restart.
 */
export interface Device {
  readonly organisation: { readonly id: number; readonly name: string };
  readonly profile: Profile;
  readonly home: Operator;
  readonly endpoint: {
    readonly id: number;
    readonly name: string;
    readonly ip: string;
    readonly tags: string | null;
    readonly imei: string;
    readonly imeisv: string;
  };
  readonly sim: {
    readonly id: number;
    readonly iccid: string;
    readonly msisdn: string;
    readonly productionDate: string;
  };
  readonly imsi: { readonly id: number; readonly imsi: string };
}

/** Twenty places, each profile as often as its share says, mixed so that a small fleet has several kinds. */
const PLACES: readonly Profile[] = PROFILES.flatMap((profile, order) =>
  Array.from({ length: profile.share }, (_, turn) => ({ profile, at: (turn + order / 10) / profile.share })),
)
  .sort((a, b) => a.at - b.at)
  .map(({ profile }) => profile);

/** @param index 0 … 9,999,999 */
export function createDevice(organisation: Device['organisation'], index: number): Device {
  const profile = PLACES[index % PLACES.length] as Profile;
  const imei = withCheckDigit(`3590042${String(1_000_000 + index * 7).slice(-7)}`);
  const produced = new Date(Date.UTC(2024, 1, 1 + (index % 700), 10, 15, index % 60));
  return {
    organisation,
    profile,
    home: OPERATORS[(index * 5) % OPERATORS.length] as Operator,
    endpoint: {
      id: 41_806_000 + index,
      name: `${profile.name}-${String(index + 1).padStart(4, '0')}`,
      // Carrier-grade NAT space, 100.64.0.0/10, as mobile networks give to devices.
      ip: `100.${64 + ((index >> 16) & 63)}.${(index >> 8) & 255}.${index & 255}`,
      tags: profile.tags,
      imei,
      imeisv: `${imei.slice(0, 14)}07`,
    },
    sim: {
      id: 5_230_000 + index,
      iccid: `899994231${String(index + 1).padStart(10, '0')}`,
      msisdn: `8835100${String(index + 1).padStart(8, '0')}`,
      productionDate: `${produced.toISOString().slice(0, 19)}Z`,
    },
    imsi: { id: 15_440_000 + index, imsi: `99942${String(index + 1).padStart(10, '0')}` },
  };
}

/** Luhn, as IMEIs have it. */
function withCheckDigit(digits: string): string {
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const digit = Number(digits[digits.length - 1 - index]) * (index % 2 === 0 ? 2 : 1);
    sum += digit > 9 ? digit - 9 : digit;
  }
  return `${digits}${(10 - (sum % 10)) % 10}`;
}
