//! The picture, as SVG.

use std::io;
use std::ops::Range;

use maud::{PreEscaped, html};
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::combinators::{BindKeyPoints, WithKeyPoints};
use plotters::coord::types::{RangedCoordf64, RangedCoordi64};
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::SVGBackend;
use plotters::series::DashedLineSeries;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, TextStyle};

use super::course::{Course, Point};
use super::palette::{
    BAND, BASELINE, CORRECTIONS, FAINT, GRID, MEAN, Paint, SURFACE, TEXT, THRESHOLD, dark_rules,
};
use super::ticks::{label, seconds, ticks};
use crate::confidence::Confidence;
use crate::event::{Event, Severity};

type Drawn<T = ()> = Result<T, DrawingAreaErrorKind<io::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plot<'a, 'b, Y> =
    ChartContext<'a, SVGBackend<'b>, Cartesian2d<WithKeyPoints<RangedCoordi64>, Y>>;
/// Seconds since 1970, and a confidence.
type Place = (i64, f64);

const HOUR: i64 = 3_600;
/// A picture shows at least this much time.
const LEAST_TIME: i64 = HOUR / 2;
/// Statuses farther apart are not joined by a line: nobody looked between them.
const GAP: i64 = HOUR;
const MARGIN: i32 = 16;
const ROW: i32 = 20;
const Y_LABELS: u32 = 60;
const CORRECTIONS_HEIGHT: i32 = 92;

/// Where the picture stands. In a page the headline is its title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    File,
    WidePage,
    NarrowPage,
}

impl Frame {
    fn pixels(self) -> (u32, u32) {
        match self {
            Self::File => (960, 520),
            Self::WidePage => (960, 490),
            Self::NarrowPage => (380, 520),
        }
    }

    fn width(self) -> i32 {
        i32::try_from(self.pixels().0).unwrap_or(i32::MAX)
    }

    /// How many times stand below the picture.
    fn ticks(self) -> i64 {
        match self {
            Self::File | Self::WidePage => 8,
            Self::NarrowPage => 4,
        }
    }
}

/// The picture as an SVG document.
pub(super) fn svg(course: &Course, frame: Frame) -> String {
    let mut drawn = String::new();
    // Writing to a string cannot fail.
    let _ = draw(course, frame, &mut drawn);
    // `plotters` has no style sheets and no titles: they follow the first tag.
    let (first, rest) = drawn.split_once(">\n").unwrap_or((&drawn, ""));
    let added = html! {
        title { (title(course)) }
        style { (PreEscaped(dark_rules())) }
    };
    format!("{first} role=\"img\">\n{}\n{rest}", added.into_string())
}

/// The names as XML may hold them: they have no control characters when they are printed, and two
/// further characters are never allowed.
pub(super) fn title(course: &Course) -> String {
    let name = course.name().replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
    format!("Confidence of {name}")
}

fn draw(course: &Course, frame: Frame, drawn: &mut String) -> Drawn {
    let root = SVGBackend::with_string(drawn, frame.pixels()).into_drawing_area();
    root.fill(&SURFACE.color())?;
    let below = heading(&root, course, frame)?;
    let (_, body) = root.split_vertically(below);
    if let Some(times) = times(course) {
        if course.corrections.is_empty() {
            confidences(&root, &body, course, &times, frame)?;
        } else {
            let (_, height) = body.dim_in_pixel();
            let height = i32::try_from(height).unwrap_or(i32::MAX);
            let (upper, lower) = body.split_vertically(height - CORRECTIONS_HEIGHT);
            confidences(&root, &upper, course, &times, frame)?;
            corrections(&lower, course, &times)?;
        }
    } else {
        let text = "No data yet: no status, no event, no correction.";
        let centre = Pos::new(HPos::Center, VPos::Center);
        let (width, height) = frame.pixels();
        let place = [width / 2, height / 2].map(|half| i32::try_from(half).unwrap_or(0));
        let style = text_style(13, FAINT).pos(centre);
        root.draw(&Text::new(text, place.into(), style))?;
    }
    root.present()
}

/// The title and the legend; returns their height.
fn heading(root: &Area<'_>, course: &Course, frame: Frame) -> Drawn<i32> {
    const LETTER: i32 = 9;
    let room = frame.width() - 2 * MARGIN;
    let (mut x, mut y) = (MARGIN, MARGIN);
    if frame == Frame::File {
        let title = shortened(&title(course), room / LETTER);
        root.draw(&Text::new(title, (x, y), text_style(16, TEXT)))?;
        y += ROW + 8;
    }
    for (mark, text) in legend(course) {
        let width = mark.width() + 6 + text_width(text);
        if x > MARGIN && x + width > room + MARGIN {
            (x, y) = (MARGIN, y + ROW);
        }
        mark.draw(root, (x, y + 6))?;
        let style = text_style(12, TEXT).pos(Pos::new(HPos::Left, VPos::Center));
        root.draw(&Text::new(text, (x + mark.width() + 6, y + 6), style))?;
        x += width + 16;
    }
    Ok(y + ROW + 4)
}

/// How the legend shows what is drawn.
#[derive(Clone, Copy)]
enum Mark {
    Band,
    Bar,
    Dashed,
    Line(Paint),
    Upright(Paint),
}

impl Mark {
    fn width(self) -> i32 {
        match self {
            Self::Band | Self::Dashed | Self::Line(_) => 22,
            Self::Bar => 8,
            Self::Upright(_) => 2,
        }
    }

    fn draw(self, root: &Area<'_>, (x, y): (i32, i32)) -> Drawn {
        let end = x + self.width();
        match self {
            Self::Band => {
                let style = BAND.color().mix(0.18).filled();
                root.draw(&Rectangle::new([(x, y - 6), (end, y + 6)], style))
            }
            Self::Bar => {
                let style = CORRECTIONS.color().filled();
                root.draw(&Rectangle::new([(x, y - 6), (end, y + 6)], style))
            }
            Self::Dashed => [x, x + 9, x + 18].into_iter().try_for_each(|from| {
                let style = THRESHOLD.color().stroke_width(2);
                let to = (from + 5).min(end);
                root.draw(&PathElement::new([(from, y), (to, y)], style))
            }),
            Self::Line(paint) => {
                let style = paint.color().stroke_width(2);
                root.draw(&PathElement::new([(x, y), (end, y)], style))
            }
            Self::Upright(paint) => {
                let style = paint.color().stroke_width(2);
                root.draw(&PathElement::new([(x + 1, y - 7), (x + 1, y + 7)], style))
            }
        }
    }
}

fn legend(course: &Course) -> Vec<(Mark, &'static str)> {
    let mut legend = vec![
        (Mark::Line(MEAN), "mean of the window"),
        (Mark::Line(BASELINE), "baseline"),
        (Mark::Band, "allowed drop"),
        (Mark::Dashed, "acceptance threshold"),
    ];
    for (severity, text) in [
        (Severity::Page, "page"),
        (Severity::Warning, "warning"),
        (Severity::Info, "info"),
    ] {
        if course.events.iter().any(|event| event.severity == severity) {
            legend.push((Mark::Upright(Paint::of(severity)), text));
        }
    }
    if !course.corrections.is_empty() {
        legend.push((Mark::Bar, "corrections an hour"));
    }
    legend
}

/// The upper part: what the monitor compares, and the events.
fn confidences(
    root: &Area<'_>,
    area: &Area<'_>,
    course: &Course,
    times: &Range<i64>,
    frame: Frame,
) -> Drawn {
    let points: Vec<&Point> = course.statuses().collect();
    let range = range(&points);
    let x = times.clone().with_key_points(ticks(times, frame.ticks()));
    let mut plot = ChartBuilder::on(area)
        .margin_right(MARGIN)
        .margin_top(18)
        .y_label_area_size(Y_LABELS)
        .x_label_area_size(44)
        .build_cartesian_2d(x, range.clone())?;
    plot.configure_mesh()
        .light_line_style(GRID.color().mix(0.0))
        .bold_line_style(GRID.color())
        .axis_style(FAINT.color())
        .label_style(text_style(12, TEXT))
        .axis_desc_style(text_style(12, FAINT))
        .x_label_formatter(&|seconds| label(*seconds))
        .y_label_formatter(&|confidence| format!("{confidence:.2}"))
        .y_labels(8)
        .x_desc("time (UTC)")
        .y_desc("confidence (0 to 1)")
        .draw()?;
    for band in band(&points) {
        let style = BAND.color().mix(0.18).filled();
        plot.draw_series([Polygon::new(band, style)])?;
    }
    events(root, &mut plot, course, &range)?;
    let baselines = runs(&points, i64::MAX, |point| point.baseline);
    lines(&mut plot, baselines, BASELINE)?;
    for threshold in runs(&points, i64::MAX, |point| Some(point.threshold)) {
        let style = THRESHOLD.color().stroke_width(2);
        plot.draw_series(DashedLineSeries::new(threshold, 5, 4, style))?;
    }
    let means = runs(&points, GAP, |point| point.mean);
    lines(&mut plot, means, MEAN)
}

/// Lines; a run of one point is a dot.
fn lines(plot: &mut Plot<'_, '_, RangedCoordf64>, runs: Vec<Vec<Place>>, paint: Paint) -> Drawn {
    for run in runs {
        if let [only] = run[..] {
            let style = paint.color().filled();
            plot.draw_series([Circle::new(only, 3, style)])?;
        } else {
            let style = paint.color().stroke_width(2);
            plot.draw_series([PathElement::new(run, style)])?;
        }
    }
    Ok(())
}

/// A line for each event, and above them their numbers in the table.
fn events(
    root: &Area<'_>,
    plot: &mut Plot<'_, '_, RangedCoordf64>,
    course: &Course,
    range: &Range<f64>,
) -> Drawn {
    let mut labels: Vec<Numbers> = Vec::new();
    for (number, event) in (1..).zip(&course.events) {
        let at = seconds(event.at);
        let style = Paint::of(event.severity).color().stroke_width(1);
        let upright = [(at, range.start), (at, range.end)];
        plot.draw_series([PathElement::new(upright, style)])?;
        let (x, top) = plot.backend_coord(&(at, range.end));
        match labels.last_mut() {
            Some(numbers) if x - numbers.x < numbers.width() => numbers.join(number, event),
            _ => labels.push(Numbers::of(number, event, (x, top))),
        }
    }
    for numbers in labels {
        let style = text_style(11, Paint::of(numbers.severity));
        let style = style.pos(Pos::new(HPos::Center, VPos::Bottom));
        let place = (numbers.x, numbers.top - 2);
        root.draw(&Text::new(numbers.to_text(), place, style))?;
    }
    Ok(())
}

/// The numbers of events that share one label.
struct Numbers {
    first: usize,
    last: usize,
    severity: Severity,
    x: i32,
    top: i32,
}

impl Numbers {
    fn of(number: usize, event: &Event, (x, top): (i32, i32)) -> Self {
        Self {
            first: number,
            last: number,
            severity: event.severity,
            x,
            top,
        }
    }

    fn join(&mut self, number: usize, event: &Event) {
        self.last = number;
        self.severity = self.severity.max(event.severity);
    }

    /// Events closer than this would hide the label with theirs.
    fn width(&self) -> i32 {
        text_width(&self.to_text()) + 12
    }

    fn to_text(&self) -> String {
        if self.first == self.last {
            self.first.to_string()
        } else {
            format!("{}-{}", self.first, self.last)
        }
    }
}

/// The lower part: a bar for each hour.
fn corrections(area: &Area<'_>, course: &Course, times: &Range<i64>) -> Drawn {
    let counts = course.corrections.iter();
    let most = counts.clone().map(|(_, count)| *count).max().unwrap_or(0);
    let x = times.clone().with_key_points(Vec::new());
    let y = (0..most.max(1)).with_key_points(vec![0, most.max(1)]);
    let mut plot = ChartBuilder::on(area)
        .margin_right(MARGIN)
        .margin_bottom(MARGIN)
        .y_label_area_size(Y_LABELS)
        .build_cartesian_2d(x, y)?;
    plot.configure_mesh()
        .light_line_style(GRID.color().mix(0.0))
        .bold_line_style(GRID.color())
        .axis_style(FAINT.color())
        .label_style(text_style(12, TEXT))
        .axis_desc_style(text_style(12, FAINT))
        .y_desc("per hour")
        .draw()?;
    let style = CORRECTIONS.color().filled();
    plot.draw_series(counts.map(|(hour, count)| {
        let hour = seconds(*hour);
        Rectangle::new([(hour, 0), (hour + HOUR, *count)], style)
    }))?;
    Ok(())
}

/// From the first time to the last; `None` where nothing has a time.
fn times(course: &Course) -> Option<Range<i64>> {
    let first = seconds(course.times().min()?);
    let last = seconds(course.times().max()?);
    if last - first >= LEAST_TIME {
        return Some(first..last);
    }
    Some(first - LEAST_TIME / 2..last + LEAST_TIME / 2)
}

/// The confidences that are drawn, with room around them.
fn range(points: &[&Point]) -> Range<f64> {
    let of_point = |point: &&Point| {
        let baseline = point.baseline.map(number);
        let lowest = baseline.map(|baseline| baseline - number(point.max_drop));
        [
            baseline,
            lowest,
            point.mean.map(number),
            Some(number(point.threshold)),
        ]
    };
    let drawn = points.iter().flat_map(of_point).flatten();
    let (least, most) = drawn.fold((f64::INFINITY, 0.0_f64), |(least, most), drawn| {
        (least.min(drawn), most.max(drawn))
    });
    if least > most {
        return 0.0..1.0;
    }
    (least - 0.03).max(0.0)..(most + 0.03).min(1.0)
}

/// Each stretch of points that have a value, without those inside a level stretch.
fn runs(
    points: &[&Point],
    gap: i64,
    value: impl Fn(&Point) -> Option<Confidence>,
) -> Vec<Vec<Place>> {
    let mut runs: Vec<Vec<Place>> = Vec::new();
    let mut is_open = false;
    for point in points {
        let Some(value) = value(point).map(number) else {
            is_open = false;
            continue;
        };
        let at = seconds(point.at);
        let last = runs.last_mut().filter(|run| {
            let is_near = |(before, _): &Place| at - before <= gap;
            is_open && run.last().is_some_and(is_near)
        });
        match last {
            None => runs.push(vec![(at, value)]),
            Some(run) => {
                let is_level = matches!(run[..], [.., (_, one), (_, other)]
                    if one.total_cmp(&other).is_eq() && value.total_cmp(&other).is_eq());
                if is_level {
                    run.pop();
                }
                run.push((at, value));
            }
        }
        is_open = true;
    }
    runs
}

/// The outline of the drop that is allowed, for each stretch of points that have a baseline.
fn band(points: &[&Point]) -> Vec<Vec<Place>> {
    let upper = runs(points, i64::MAX, |point| point.baseline);
    let lower = runs(points, i64::MAX, |point| {
        let baseline = point.baseline?.as_millionths();
        let lowest = baseline.saturating_sub(point.max_drop.as_millionths());
        Confidence::try_from(lowest).ok()
    });
    let pairs = upper.into_iter().zip(lower);
    pairs
        .map(|(mut upper, lower)| {
            upper.extend(lower.into_iter().rev());
            upper
        })
        .collect()
}

fn number(confidence: Confidence) -> f64 {
    f64::from(confidence.as_millionths()) / 1e6
}

/// `plotters` takes the height of a line of text, and writes the size of its letters.
fn text_style(pixels: u32, paint: Paint) -> TextStyle<'static> {
    let font = ("sans-serif", f64::from(pixels) * 1.24).into_font();
    let mut style = TextStyle::from(font);
    style.color = paint.color().to_backend_color();
    style
}

/// About as wide as letters of 12 pixels are.
fn text_width(text: &str) -> i32 {
    let letters = i32::try_from(text.chars().count()).unwrap_or(i32::MAX);
    letters.min(1_000) * 13 / 2
}

/// A text of at most this many letters.
fn shortened(text: &str, most: i32) -> String {
    let most = usize::try_from(most).unwrap_or(0);
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept = text.chars().take(most.saturating_sub(1));
    kept.chain(['…']).collect()
}
