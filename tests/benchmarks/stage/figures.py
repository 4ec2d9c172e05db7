"""Report of the stage benchmark."""

from __future__ import annotations

from typing import Any

import numpy as np


def summary(performer: Any, last: Any, passed: float, torn: tuple[int, int, int]) -> dict[str, Any]:
    """The report on a run of `passed` seconds. last: the AudioStatus at its end."""
    first, status = performer.first, performer.worker.status()
    delays = np.array(performer.delays.seconds or [np.nan]) * 1e3
    heartbeat, painted = performer.heartbeat, performer.painted
    between = np.diff(painted.when) * 1e3 if len(painted.when) > 2 else np.array([np.nan])
    report: dict[str, Any] = {
        "device": last.device,
        "buffer_frames": last.buffer_frames,
        "seconds": round(passed, 1),
        "heard_seconds": round((last.read - first.read) / 48_000, 2),
        "underruns": last.underruns - first.underruns,
        "xruns": last.xruns - first.xruns,
        "xruns_at": performer.xrun_times,
        "underruns_at": performer.underrun_times,
        "torn": torn[0],
        "compared_with_plan_seconds": round(torn[1] / 48_000, 1),
        "limited_frames": torn[2],
        "edges": status.discontinuities,
        "restarts": last.restarts,
        "recoveries": status.recoveries,
        "worst_callback_ms": round(last.worst_callback_ms, 2),
        "plan_seconds_min": round(performer.lowest, 2),
        "knob": {
            "turns": performer.turns,
            "heard": len(performer.delays.seconds),
            "open": performer.delays.open,
            "worst_ms": round(float(delays.max()), 1),
            "median_ms": round(float(np.median(delays)), 1),
            "p95_ms": round(float(np.quantile(delays, 0.95)), 1),
            "late": [
                (round(when - performer.began, 2), seconds)
                for when, seconds in performer.delays.late
            ],
            "worker_says_worst_ms": round(status.knob_to_sound_worst_ms, 1),
        },
        "event_loop": {
            "worst_gap_ms": round(heartbeat.worst, 1),
            "over_50_ms": sum(1 for gap in heartbeat.gaps if gap[1] > 50.0),
            "over_20_ms": len(heartbeat.gaps),
            "largest": sorted(heartbeat.gaps, key=lambda g: -g[1])[:8],
            "own_ms": {
                "worst": round(max(heartbeat.own, default=0.0), 1),
                "p999": round(float(np.quantile(heartbeat.own or [0.0], 0.999)), 1),
                "over_15_ms": sum(1 for own in heartbeat.own if own > 15.0),
            },
        },
        "garbage": heartbeat.collections.summary(performer.began),
        "spectrogram": {
            "frames_per_second": round(painted.painted / passed, 1),
            "core_share": round(painted.seconds / passed, 3),
            "interval_p99_ms": round(float(np.quantile(between, 0.99)), 1),
            "interval_max_ms": round(float(between.max()), 1),
        },
        "real_time_factor": round(status.real_time_factor, 2),
        "render_ms": round(status.render_ms, 1),
        "rss_mb": performer.rss[:: max(1, len(performer.rss) // 12)],
        "moments_mb": round(status.moments_mb, 1),
        "blocks": status.blocks,
        "rss_slope_mb_per_minute": slope(performer.rss),
        "incidents": performer.incidents,
    }
    return report


def slope(rss: list[tuple[float, float]]) -> float | None:
    """Memory growth in MB per minute over the second half; None for too few samples."""
    half = rss[len(rss) // 2 :]
    if len(half) < 4:
        return None
    when, size = np.array(half).T
    return round(float(np.polyfit(when, size, 1)[0]) * 60.0, 2)
