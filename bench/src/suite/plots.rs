//! The report's plots. Axes of lengths and rates are in powers of two, one mark for each.

use super::report::{Figure, Report};
use crate::Result;
use plotters::coord::Shift;
use plotters::prelude::*;

/// A colour for each contender: dark enough for lines on white, and told apart by most eyes.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 90, 200),
    RGBColor(213, 94, 0),
    RGBColor(0, 140, 100),
    RGBColor(190, 70, 150),
    RGBColor(110, 110, 110),
    RGBColor(150, 110, 0),
    RGBColor(70, 170, 220),
    RGBColor(180, 30, 40),
];

/// The logarithms of some values, from the power of two below the least to the one above the greatest.
fn octaves(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let ends = values.fold((f64::MAX, f64::MIN), |(lo, hi), x| {
        (lo.min(x.log2()), hi.max(x.log2()))
    });
    let from = ends.0.floor();
    from..ends.1.ceil().max(from + 1.0)
}

/// The label of a power of two; there is none between two.
fn octave(x: &f64) -> String {
    match (x - x.round()).abs() < 1e-6 {
        true => format!("{}", x.round().exp2()),
        false => String::new(),
    }
}

/// Rates against the size, a line for each contender. What has no place there is left to the table.
///
/// # Errors
/// Where drawing fails.
pub fn by_size(report: &Report, routine: &str, dtype: &str) -> Result<String> {
    let regular: Vec<(f64, &Figure)> = report
        .figures
        .iter()
        .filter(|f| f.routine == routine && f.dtype == dtype)
        .filter_map(|f| Some((f.side?, f)))
        .collect();
    let Some((_, first)) = regular.first() else {
        return Ok(String::new());
    };
    // Convolutions have no single size: they are numbered.
    let numbered = routine == "conv";
    let at = |side: f64| if numbered { side } else { side.log2() };
    let sides = || regular.iter().map(|r| r.0);
    let across = match numbered {
        true => 1.0..sides().fold(2.0, f64::max),
        false => octaves(sides()),
    };
    let top = regular
        .iter()
        .fold(0.0, |top: f64, r| top.max(r.1.rate.median));
    plot(|root| {
        let mut chart = ChartBuilder::on(&root)
            .caption(
                format!("{routine} {dtype}, {}", first.unit),
                ("sans-serif", 18),
            )
            .margin(10)
            .x_label_area_size(35)
            .y_label_area_size(55)
            .build_cartesian_2d(across.clone(), 0.0..top * 1.1)?;
        let label = move |x: &f64| {
            if numbered {
                format!("{x:.0}")
            } else {
                octave(x)
            }
        };
        chart
            .configure_mesh()
            .x_desc(if numbered {
                "shape, in the order of the table"
            } else {
                "n"
            })
            .x_labels((across.end - across.start) as usize + 1)
            .x_label_formatter(&label)
            .y_desc(&first.unit)
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (i, peer) in report.peers.iter().enumerate() {
            let points: Vec<(f64, f64)> = regular
                .iter()
                .filter(|(_, f)| f.contender == peer.name)
                .map(|(side, f)| (at(*side), f.rate.median))
                .collect();
            if points.is_empty() {
                continue;
            }
            let style = COLOURS[i % COLOURS.len()].stroke_width(2);
            chart
                .draw_series(LineSeries::new(points, style).point_size(3))?
                .label(&peer.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK)
            .draw()?;
        Ok(())
    })
}

/// Everybody's rates against the work for each byte, under the ceilings that were measured: the device's own copy, and
/// its rate of fma in registers.
///
/// # Errors
/// Where drawing fails.
pub fn roofline(report: &Report, part: &str, dtypes: &[&str], peak: f64) -> Result<String> {
    let copy = report.ceilings.copy;
    let figures = report.figures.iter();
    let figures: Vec<&Figure> = figures
        .filter(|f| f.flops > 0.0 && dtypes.contains(&&*f.dtype))
        .collect();
    if figures.is_empty() {
        return Ok(String::new());
    }
    let point = |f: &Figure| (f.flops / f.bytes, f.flops / f.milliseconds.median / 1e6);
    let all = || figures.iter().map(|f| point(f));
    let of = |ours: bool| {
        let some = figures.iter().filter(move |f| f.of_ours.is_none() == ours);
        some.map(|f| point(f)).map(|(x, y)| (x.log2(), y.log2()))
    };
    let knee = peak / copy;
    let across = octaves(all().map(|p| p.0).chain([knee / 2.0, knee * 2.0]));
    let up = octaves(all().map(|p| p.1).chain([peak * 1.1]));
    let roof = |x: f64| (x, (x.exp2() * copy).min(peak).log2());
    let line: Vec<(f64, f64)> = [across.start, knee.log2(), across.end]
        .map(roof)
        .into_iter()
        .filter(|p| up.contains(&p.1))
        .collect();
    plot(|root| {
        let caption = format!(
            "{part}: measured ceilings {copy:.1} GB/s (copy), {peak:.0} GFLOP/s (fma in registers)"
        );
        let labels = |r: &std::ops::Range<f64>| (r.end - r.start) as usize + 1;
        let mut chart = ChartBuilder::on(&root)
            .caption(caption, ("sans-serif", 18))
            .margin(10)
            .x_label_area_size(35)
            .y_label_area_size(55)
            .build_cartesian_2d(across.clone(), up.clone())?;
        chart
            .configure_mesh()
            .x_desc("operations per byte")
            .y_desc("GFLOP/s")
            .x_labels(labels(&across))
            .y_labels(labels(&up))
            .x_label_formatter(&octave)
            .y_label_formatter(&octave)
            .light_line_style(TRANSPARENT)
            .draw()?;
        chart.draw_series(LineSeries::new(line, BLACK.stroke_width(2)))?;
        let (grey, blue) = (RGBColor(170, 170, 170), COLOURS[0]);
        chart
            .draw_series(of(false).map(|p| Circle::new(p, 2, grey.filled())))?
            .label("others")
            .legend(move |(x, y)| Circle::new((x + 9, y), 3, grey.filled()));
        chart
            .draw_series(of(true).map(|p| Circle::new(p, 4, blue.filled())))?
            .label("this library")
            .legend(move |(x, y)| Circle::new((x + 9, y), 4, blue.filled()));
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK)
            .draw()?;
        Ok(())
    })
}

fn plot(draw: impl FnOnce(DrawingArea<SVGBackend<'_>, Shift>) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (900, 380)).into_drawing_area();
    root.fill(&WHITE)?;
    draw(root)?;
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_whole_octaves() {
        assert_eq!(octaves([5.0, 100.0].into_iter()), 2.0..7.0);
        assert_eq!(octaves([64.0].into_iter()), 6.0..7.0);
        assert_eq!((octave(&7.0), octave(&-1.0)), ("128".into(), "0.5".into()));
        assert_eq!(octave(&6.5), "");
    }
}
