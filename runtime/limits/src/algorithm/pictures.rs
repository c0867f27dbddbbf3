//! The pictures of the manual: what each algorithm does with the same requests, drawn from what it says to them.

use std::fmt::Write as _;
use std::ops::Range;

use super::*;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rate-limits");

const INTERVAL: Duration = Duration::from_secs(1);

/// Each under the name of its picture, with its caption. The leaky bucket lets requests wait.
const PICTURES: [(&str, &str, Algorithm); 5] = [
    ("token-bucket", "limit: 10, interval: 1s", Algorithm::TokenBucket { limit: 10, interval: INTERVAL }),
    ("fixed-window", "limit: 10, interval: 1s", Algorithm::FixedWindow { limit: 10, interval: INTERVAL }),
    ("sliding-window", "limit: 10, interval: 1s", Algorithm::SlidingWindow { limit: 10, interval: INTERVAL }),
    (
        "leaky-bucket",
        "rate: 10/s, burst: 5, delay: true",
        Algorithm::LeakyBucket { rate: 10, interval: INTERVAL, burst: 5, delay: true },
    ),
    (
        "concurrency",
        "limit: 5; each request takes 0.3 s",
        Algorithm::Concurrency { limit: 5, burst: 0, delay: Duration::ZERO },
    ),
];

const MILLI: u64 = SECOND / 1_000;
/// One request comes first, and then three at once,
const TOGETHER: u64 = 3;
/// as often as this,
const EVERY: u64 = 100 * MILLI;
/// at these times.
const BUSY: [Range<u64>; 2] = [600 * MILLI..2 * SECOND, 3 * SECOND..4 * SECOND];
/// Until the last has been sent.
const END: u64 = 4 * SECOND + SECOND / 2;

/// When the picture begins, on the clock of the gateway: within a window of those that are counted by the clock.
const START: u64 = 10 * SECOND + SECOND / 2;

/// How long a request is under way, where that matters.
const TAKES: u64 = 300 * MILLI;

/// A request of the picture. All times count from its start.
struct Request {
    at: u64,
    /// Its place among those that come at once.
    place: u64,
    /// When it goes to the upstream, if it does.
    sent: Option<u64>,
}

#[test]
fn the_pictures_of_the_manual_are_current() {
    for (name, caption, algorithm) in PICTURES {
        let expected = picture(name, caption, &algorithm);
        let file = format!("{FOLDER}/{name}.svg");
        if std::env::var_os("GATEWAY_TEST_UPDATE").is_some() {
            std::fs::create_dir_all(FOLDER).expect("the manual can be written");
            std::fs::write(&file, &expected).expect("the manual can be written");
        }
        let found = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            found == expected,
            "docs/rate-limits/{name}.svg is not current; run with GATEWAY_TEST_UPDATE=1 and commit it"
        );
    }
}

fn requests(algorithm: &Algorithm) -> Vec<Request> {
    let busy = BUSY.into_iter().flat_map(|times| times.step_by(EVERY as usize));
    let offered = [(0, 1)].into_iter().chain(busy.map(|at| (at, TOGETHER)));
    let (mut state, mut under_way) = (State::default(), Vec::new());
    let mut requests = Vec::new();
    for (at, count) in offered {
        let before = under_way.len();
        under_way.retain(|end| *end > at);
        (under_way.len()..before).for_each(|_| algorithm.release(&mut state, 1));
        for place in 0..count {
            let reading = algorithm.charge(&mut state, START + at, 1);
            let sent = reading.admitted.then_some(at + reading.delay);
            under_way.extend(sent.map(|sent| sent + TAKES));
            requests.push(Request { at, place, sent });
        }
    }
    requests
}

const LEFT: u64 = 120;
const PIXELS_PER_SECOND: u64 = 120;
const PIXELS_PER_REQUEST: u64 = 3;
const MARK: u64 = 8;
const ROW: u64 = 11;

fn picture(name: &str, caption: &str, algorithm: &Algorithm) -> String {
    let requests = requests(algorithm);
    let waits = requests.iter().any(|request| request.sent.is_some_and(|sent| sent > request.at));
    let (mut admitted, mut refused, mut sent) = (String::new(), String::new(), String::new());
    let top = 46;
    let lane = top + TOGETHER * ROW + 6;
    for request in &requests {
        let y = top + (TOGETHER - 1 - request.place) * ROW;
        let x = x(request.at);
        match request.sent {
            Some(_) => _ = write!(admitted, "M{x} {y}h{MARK}v{MARK}h-{MARK}z"),
            None => _ = write!(refused, "M{x} {y}l{MARK} {MARK}m0-{MARK}l-{MARK} {MARK}"),
        }
        if let Some(sent_at) = request.sent {
            _ = write!(sent, "M{} {lane}h{MARK}v{MARK}h-{MARK}z", self::x(sent_at));
        }
    }
    let graph = lane + if waits { ROW + 8 } else { 0 };
    let bottom = graph + 20 * PIXELS_PER_REQUEST;
    let (what, span, line) = match *algorithm {
        Algorithm::Concurrency { limit, .. } => ("under way", TAKES, limit),
        _ => ("in the last second", SECOND, 10),
    };
    let level = |count: u64| bottom - count.min(20) * PIXELS_PER_REQUEST;
    let (mut steps, mut last, mut most) = (format!("M{LEFT} {bottom}"), 0, 0);
    for at in (0..=END).step_by(10 * MILLI as usize) {
        let counts = |sent: u64| sent <= at && sent + span > at;
        let count = requests.iter().filter(|request| request.sent.is_some_and(counts)).count() as u64;
        if count != last {
            _ = write!(steps, "H{}V{}", x(at), level(count));
        }
        (last, most) = (count, most.max(count));
    }
    _ = write!(steps, "H{}", x(END));
    let mut seconds = String::new();
    for second in 0..=END / SECOND {
        let (x, below) = (x(second * SECOND), bottom + 16);
        _ = writeln!(
            seconds,
            "<path class=\"g\" d=\"M{x} {}V{bottom}\"/><text x=\"{x}\" y=\"{below}\" text-anchor=\"middle\">{second} s</text>",
            top - 4
        );
    }
    let (right, height) = (LEFT + PIXELS_PER_SECOND * END / SECOND, bottom + 24);
    let of_sent = if waits {
        format!("<text x=\"0\" y=\"{}\">sent</text>\n<path class=\"s\" d=\"{sent}\"/>\n", lane + MARK)
    } else {
        String::new()
    };
    let (marks, middle, count, limit) = (top + 20, graph + 28, graph + 43, level(line) + 4);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 700 {height}\" width=\"700\" height=\"{height}\" role=\"img\">
<title>{name}: what becomes of three requests at once, ten times a second</title>
<style>
text{{font:12px sans-serif;fill:#57606a}}.t{{font-weight:bold}}
.a{{fill:#1f77b4}}.r{{fill:none;stroke:#c4572a;stroke-width:1.5}}.s{{fill:#2e8b57}}
.l{{fill:none;stroke:#1f77b4;stroke-width:1.5}}.g{{stroke:#8b949e;stroke-opacity:.35}}.q{{stroke:#8b949e;stroke-dasharray:4 3}}
@media(prefers-color-scheme:dark){{text{{fill:#b3bcc6}}.a{{fill:#58a6e0}}.l{{stroke:#58a6e0}}.r{{stroke:#f0885a}}.s{{fill:#56c58a}}}}
</style>
<text class=\"t\" x=\"0\" y=\"14\">{name}</text><text x=\"{LEFT}\" y=\"14\">{caption}</text>
<path class=\"a\" d=\"M505 6h{MARK}v{MARK}h-{MARK}z\"/><text x=\"518\" y=\"14\">admitted</text>
<path class=\"r\" d=\"M590 6l{MARK} {MARK}m0-{MARK}l-{MARK} {MARK}\"/><text x=\"603\" y=\"14\">refused</text>
{seconds}<text x=\"0\" y=\"{marks}\">offered</text>
<path class=\"a\" d=\"{admitted}\"/>
<path class=\"r\" d=\"{refused}\"/>
{of_sent}<text x=\"0\" y=\"{middle}\">{what}</text><text x=\"0\" y=\"{count}\">at most {most}</text>
<path class=\"q\" d=\"M{LEFT} {}H{right}\"/><text x=\"{}\" y=\"{limit}\">{line}</text>
<path class=\"l\" d=\"{steps}\"/>
</svg>
",
        level(line),
        right + 6
    )
}

/// Where a time is, in pixels.
fn x(at: u64) -> String {
    let tenths = LEFT * 10 + at * PIXELS_PER_SECOND * 10 / SECOND;
    if tenths.is_multiple_of(10) { format!("{}", tenths / 10) } else { format!("{}.{}", tenths / 10, tenths % 10) }
}
