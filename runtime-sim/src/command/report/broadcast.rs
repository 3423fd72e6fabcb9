//! The figures of broadcasts.

use super::{Row, count};
use pleach_sim::summary::Summary;

/// All figures.
pub(super) fn rows(summary: &Summary) -> Vec<Row> {
    [overlay_rows(summary), broadcast_rows(summary), cost_rows(summary)].concat()
}

/// The main figures, on one line.
pub(super) fn line(summary: &Summary) -> String {
    let late: String = [
        ("from 11", summary.reliability_from_11),
        ("11..20", summary.reliability_11_20),
        ("51..60", summary.reliability_51_60),
    ]
    .into_iter()
    .filter_map(|(which, reliability)| Some(format!("  {which} {:.6}", reliability?)))
    .collect();
    let redundancy = summary.rmr_last10.map_or_else(|| "-".to_owned(), |rmr| format!("{rmr:.4}"));
    format!(
        "reliability {:.6}{late}  components {:>3}  asymmetric {:>3}  active {:>2}..{:<2}  rmr {redundancy:>7}  \
         last {:>5} ms  flood {:>5} ms  {}",
        summary.reliability,
        summary.components,
        summary.asymmetric_links,
        summary.active_min,
        summary.active_max,
        summary.last10_ms,
        summary.flood_ms,
        summary.digest,
    )
}

fn overlay_rows(summary: &Summary) -> Vec<Row> {
    vec![
        ("nodes", format!("{} live of {}", summary.live, summary.nodes)),
        ("components", format!("{} (largest {})", summary.components, summary.largest_component)),
        ("asymmetric links", summary.asymmetric_links.to_string()),
        (
            "active view",
            format!(
                "{} to {}, mean {:.2} (wanted {} to {})",
                summary.active_min,
                summary.active_max,
                summary.active_mean,
                summary.active_wanted,
                summary.active_capacity
            ),
        ),
        ("path length", format!("mean {:.2}, longest {}", summary.path_mean, summary.path_max)),
        ("healed after", summary.healing_ms.map(|ms| format!("{ms} ms")).unwrap_or_default()),
    ]
}

fn broadcast_rows(summary: &Summary) -> Vec<Row> {
    let ratio = |value: Option<f64>| value.map(|value| format!("{value:.6}")).unwrap_or_default();
    let delays = summary.delivery_ms;
    vec![
        (
            "reliability",
            format!("{:.6} ({} of {})", summary.reliability, summary.delivered, summary.expected),
        ),
        ("  broadcasts 11 to 20", ratio(summary.reliability_11_20)),
        ("  broadcasts 11 and later", ratio(summary.reliability_from_11)),
        ("  broadcasts 51 to 60", ratio(summary.reliability_51_60)),
        ("RMR", ratio(summary.rmr)),
        ("  last 10", ratio(summary.rmr_last10)),
        ("last hop", format!("mean {:.1}", summary.ldh_mean)),
        ("delivery", format!("p50 {} ms, p99 {} ms, slowest {} ms", delays.p50, delays.p99, delays.max)),
        ("  last 10", format!("slowest {} ms", summary.last10_ms)),
        ("  first, flooded", format!("slowest {} ms", summary.flood_ms)),
        ("duplicates", summary.duplicates.to_string()),
        ("given up", summary.lost.to_string()),
        ("rate complaints", count(summary.complaints)),
    ]
}

fn cost_rows(summary: &Summary) -> Vec<Row> {
    vec![
        (
            "for each broadcast",
            format!(
                "{} control messages, {} bytes of control, {} bytes of payloads",
                summary.control_per_broadcast,
                summary.control_bytes_per_broadcast,
                summary.payload_bytes_per_broadcast
            ),
        ),
        ("HEADs converged", summary.heads_converged.map(|yes| yes.to_string()).unwrap_or_default()),
        ("handshakes, at both ends", count(summary.handshakes)),
        ("events", summary.events.to_string()),
        ("events per second", count(summary.events_per_second)),
        ("bytes per node", count(summary.bytes_per_node)),
        ("digest", summary.digest.clone()),
    ]
}
