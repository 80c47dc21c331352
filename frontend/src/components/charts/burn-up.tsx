/** Device states stacked over time with the promise as a line, and failures under the same axis. */
import { scaleLinear, scaleTime } from "@visx/scale";
import { AreaStack, LinePath } from "@visx/shape";
import { useId, useLayoutEffect, useRef, useState, type KeyboardEvent, type PointerEvent } from "react";
import { failureBars, LAYERS, momentAt, toldDevices, type Moment, type StageMark } from "@/features/campaigns/burnup";
import { count, onAxis, short } from "@/lib/format";
import { LOOK, type Status } from "@/lib/status";
import { t } from "@/lib/texts.en";

interface Props {
  moments: Moment[];
  marks: StageMark[];
  /** Devices that can be updated. */
  total: number;
  eta: number | null;
  live: boolean;
}

const HEIGHT = 300;
const BARS = 52;
const PAD = { top: 26, right: 8, bottom: 28, left: 44, between: 34 };
const AREA: Partial<Record<Status, string>> = { SUCCESS: "var(--success-area)" };
const area = (status: Status) => AREA[status] ?? LOOK[status].color;

function useWidth() {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width)));
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  return [box, width] as const;
}

export function BurnUp({ moments, marks, total, eta, live }: Props) {
  const [box, width] = useWidth();
  const [cursor, setCursor] = useState<number | null>(null);
  const last = moments.length - 1;
  const place = cursor === null ? last : Math.min(last, momentAt(moments, cursor));
  return (
    <div>
      <Legend at={moments[place]!} />
      <div ref={box} className="mt-2" style={{ height: PAD.top + HEIGHT + PAD.between + BARS + PAD.bottom }}>
        {width > 0 && <Drawing {...{ moments, marks, total, eta, live, width, place }} pointed={cursor !== null} onCursor={setCursor} />}
      </div>
    </div>
  );
}

function Legend({ at }: { at: Moment }) {
  return (
    <ul className="mt-4 flex flex-wrap gap-x-4 gap-y-1.5 text-xs text-ink-2">
      {LAYERS.map((status) => (
        <li key={status} className="flex items-center gap-1.5">
          <span aria-hidden className="size-2.5 rounded-[3px]" style={{ background: area(status) }} />
          {LOOK[status].word} <span className="font-medium text-ink">{count(at.counts[status] ?? 0)}</span>
        </li>
      ))}
      <li className="flex items-center gap-1.5">
        <span aria-hidden className="w-4 border-t-[1.5px] border-dashed border-ink" />
        {t.chart.promised} <span className="font-medium text-ink">{count(at.promised)}</span>
      </li>
    </ul>
  );
}

type DrawingProps = Props & { width: number; place: number; pointed: boolean; onCursor: (at: number | null) => void };

function Drawing({ moments, marks, total, eta, live, width, place, pointed, onCursor }: DrawingProps) {
  const id = useId();
  const first = moments[0]!;
  const last = moments.at(-1)!;
  const until = Math.max(last.at, eta && live ? eta : 0, first.at + 1000);
  const top = Math.max(1, total, ...moments.map(({ promised, counts }) => Math.max(promised, toldDevices(counts))));
  const x = scaleTime({ domain: [first.at, until], range: [PAD.left, width - PAD.right] });
  const y = scaleLinear({ domain: [0, top], range: [PAD.top + HEIGHT, PAD.top] });
  const { seconds, bars } = failureBars(moments, Math.max(20, Math.floor((width - PAD.left) / 8)));
  const worst = Math.max(1, ...bars.map((bar) => bar.failures));
  const foot = PAD.top + HEIGHT + PAD.between + BARS;
  const height = scaleLinear({ domain: [0, worst], range: [0, BARS - 6] });
  const chosen = moments[place]!;
  const clock = (at: number) => onAxis(at, until - first.at);
  const cursorX = x(chosen.at);

  const point = (event: PointerEvent<SVGSVGElement>) => {
    const left = event.currentTarget.getBoundingClientRect().left;
    const at = x.invert(event.clientX - left).getTime();
    onCursor(at >= last.at ? null : Math.max(first.at, at));
  };
  const step = (event: KeyboardEvent<SVGSVGElement>) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(moments.length - 1, place + by));
    onCursor(next === moments.length - 1 ? null : moments[next]!.at);
  };

  return (
    <svg
      width={width}
      height={foot + PAD.bottom}
      role="slider"
      aria-label={`${t.chart.title}. ${t.chart.explore}`}
      aria-valuemin={0}
      aria-valuemax={moments.length - 1}
      aria-valuenow={place}
      aria-valuetext={`${clock(chosen.at)}: ${t.chart.describe(chosen.counts.SUCCESS ?? 0, chosen.counts.FAILED ?? 0, toldDevices(chosen.counts) - (chosen.counts.SUCCESS ?? 0) - (chosen.counts.FAILED ?? 0), chosen.promised)}`}
      tabIndex={0}
      onPointerMove={point}
      onPointerLeave={() => onCursor(null)}
      onKeyDown={step}
      className="block touch-pan-y select-none rounded-md text-[11px]"
      fill="var(--ink-3)"
    >
      {y.ticks(4).filter((tick) => Number.isInteger(tick)).map((tick) => (
        <g key={tick}>
          <line x1={PAD.left} x2={width - PAD.right} y1={y(tick)} y2={y(tick)} stroke="var(--line)" />
          <text x={PAD.left - 8} y={y(tick)} dy="0.32em" textAnchor="end">
            {short(tick)}
          </text>
        </g>
      ))}
      <line x1={PAD.left} x2={width - PAD.right} y1={y(total)} y2={y(total)} stroke="var(--line-strong)" />
      <clipPath id={id}>
        <rect x={PAD.left} y={0} width={width - PAD.left - PAD.right + 1} height={foot} />
      </clipPath>
      <g clipPath={`url(#${id})`}>
        <AreaStack<Moment, Status> data={moments} keys={LAYERS} value={(datum, status) => datum.counts[status] ?? 0} x={({ data }) => x(data.at)} y0={([low]) => y(low)} y1={([, high]) => y(high)}>
          {({ stacks, path }) => stacks.map((stack) => <path key={stack.key} d={path(stack) ?? ""} fill={area(stack.key)} />)}
        </AreaStack>
        <LinePath data={moments} x={({ at }) => x(at)} y={({ promised }) => y(promised)} stroke="var(--ink)" strokeWidth={1.5} strokeDasharray="5 4" fill="none" />
        {live && eta && eta > last.at && (
          <line x1={x(last.at)} y1={y(toldDevices(last.counts))} x2={x(eta)} y2={y(total)} stroke="var(--ink-3)" strokeWidth={1.5} strokeDasharray="1.5 4" strokeLinecap="round" />
        )}
      </g>
      <Marks marks={marks} x={x} foot={foot} width={width} />
      <text x={PAD.left} y={PAD.top + HEIGHT + 19}>
        {t.chart.failedPer(seconds)}
      </text>
      {bars.length > 0 && (
        <text x={PAD.left - 8} y={foot - BARS + 10} textAnchor="end">
          {short(worst)}
        </text>
      )}
      <line x1={PAD.left} x2={width - PAD.right} y1={foot} y2={foot} stroke="var(--line-strong)" />
      {bars.map((bar) => (
        <rect key={bar.from} x={x(bar.from) + 0.5} width={Math.max(1.5, x(bar.to) - x(bar.from) - 1.5)} y={foot - Math.max(2, height(bar.failures))} height={Math.max(2, height(bar.failures))} fill="var(--failed)" />
      ))}
      {distinct(x.ticks(Math.max(2, Math.floor(width / 110))), clock).map((tick) => (
        <text key={+tick} x={x(tick)} y={foot + 19} textAnchor="middle" opacity={Math.abs(x(tick) - cursorX) < 44 ? 0 : 1}>
          {clock(+tick)}
        </text>
      ))}
      <Cursor x={cursorX} foot={foot} width={width} word={pointed ? clock(chosen.at) : live ? t.chart.now : t.chart.end} />
    </svg>
  );
}

/** Without ticks that would have the same words as the one before. */
const distinct = (ticks: Date[], word: (at: number) => string) => ticks.filter((tick, place) => place === 0 || word(+tick) !== word(+ticks[place - 1]!));

function Marks({ marks, x, foot, width }: { marks: StageMark[]; x: (at: number) => number; foot: number; width: number }) {
  return marks.map((mark, place) => {
    const left = x(mark.at);
    const room = (marks[place + 1] ? x(marks[place + 1]!.at) : width) - left;
    return (
      <g key={`${mark.name}${mark.at}`}>
        <line x1={left} x2={left} y1={PAD.top - 12} y2={foot} stroke="var(--line-strong)" strokeDasharray="2 3" />
        {room > 12 + mark.name.length * 6.2 && (
          <text x={left + 6} y={PAD.top - 12}>
            {mark.name}
          </text>
        )}
      </g>
    );
  });
}

function Cursor({ x, foot, width, word }: { x: number; foot: number; width: number; word: string }) {
  const wide = 16 + word.length * 6.6;
  const left = Math.max(0, Math.min(width - wide, x - wide / 2));
  return (
    <g>
      <line x1={x} x2={x} y1={PAD.top - 4} y2={foot} stroke="var(--ink-3)" />
      <rect x={left} y={foot + 5} width={wide} height={19} rx={5} fill="var(--primary)" />
      <text x={left + wide / 2} y={foot + 18} textAnchor="middle" fill="var(--on-primary)" fontWeight={500}>
        {word}
      </text>
    </g>
  );
}
