//! What was measured: lines on the terminal, JSON, and a page with plots that needs no other file.

use super::peers::{Absent, Peer};
use super::routine::Group;
use crate::compare::{clocked, interleave};
use crate::{Result, data};
use plotters::coord::Shift;
use plotters::prelude::*;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use suanzi_backends::Context;
use suanzi_ops::Tensor;

/// A run.
#[derive(Serialize)]
pub struct Report {
    /// What was measured.
    pub group: String,
    /// This library's version.
    pub version: String,
    /// The device.
    pub device: String,
    /// Its own copy of 64 MiB, read and written, in GB/s.
    pub copy: f64,
    /// Who took part.
    pub peers: Vec<Named>,
    /// Who did not, and why.
    pub absent: Vec<Named>,
    /// The figures.
    pub figures: Vec<Figure>,
}

/// A peer, and what there is to say of it.
#[derive(Serialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// What it is, or why it is absent.
    pub about: String,
}

/// The middle of some values, and their ends.
#[derive(Clone, Copy, Serialize)]
pub struct Range {
    /// Half of the values are below.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The greatest.
    pub most: f64,
}

/// One contender on one problem.
#[derive(Serialize)]
pub struct Figure {
    /// The routine.
    pub routine: String,
    /// The elements.
    pub dtype: String,
    /// m, n and k.
    pub size: [usize; 3],
    /// Operations.
    pub flops: f64,
    /// Bytes that must move.
    pub bytes: f64,
    /// Who.
    pub contender: String,
    /// The unit of the rate.
    pub unit: String,
    /// Work per time.
    pub rate: Range,
    /// Time.
    pub milliseconds: Range,
    /// This library's speed over the peer's; none of itself.
    pub of_ours: Option<Range>,
    /// What is wrong with its result.
    pub wrong: Option<String>,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.median >= 100.0 { 0 } else { 2 };
        let Range {
            median,
            least,
            most,
        } = self;
        write!(f, "{median:.digits$} ({least:.digits$} to {most:.digits$})")
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [m, n, k] = self.size;
        let what = format!("{} {} {m}x{n}x{k}", self.routine, self.dtype);
        write!(
            f,
            "{what:<26} {:<20} {} {}",
            self.contender, self.rate, self.unit
        )?;
        if let Some(ratio) = &self.of_ours {
            write!(f, "; ours over it {ratio}")?;
        }
        match &self.wrong {
            Some(wrong) => write!(f, "; WRONG: {wrong}"),
            None => Ok(()),
        }
    }
}

impl Report {
    /// Of a device, whose copy is measured.
    ///
    /// # Errors
    /// The device's.
    pub fn new(
        group: Group,
        device: &str,
        peers: &[Box<dyn Peer>],
        absent: Vec<Absent>,
    ) -> Result<Report> {
        let named = |name: &str, about: String| Named {
            name: name.into(),
            about,
        };
        Ok(Report {
            group: format!("{group:?}").to_lowercase(),
            version: env!("CARGO_PKG_VERSION").into(),
            device: device.into(),
            copy: copy_speed(device)?,
            peers: peers.iter().map(|p| named(p.name(), p.about())).collect(),
            absent: absent
                .into_iter()
                .map(|(name, why)| named(&name, why))
                .collect(),
            figures: vec![],
        })
    }

    /// Writes report.json and report.html into a folder.
    ///
    /// # Errors
    /// Where that fails.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(
            folder.join("report.json"),
            serde_json::to_string_pretty(self)?,
        )?;
        let page = folder.join("report.html");
        std::fs::write(&page, self.page()?)?;
        Ok(page)
    }

    fn page(&self) -> Result<String> {
        let mut page = format!(
            "<!doctype html><meta charset=utf-8><title>suanzi bench {0}</title><style>body{{font:14px \
             sans-serif;max-width:64em;margin:2em auto}}td,th{{padding:2px 10px;text-align:right}}td:first-child,\
             td:nth-child(2){{text-align:left}}.wrong{{color:#c00}}</style><h1>suanzi bench {0}</h1>",
            escaped(&self.group)
        );
        page += "<p>Medians of turns in one run, on the same data, results checked; least and greatest in brackets.</p><ul>";
        for peer in &self.peers {
            page += &format!(
                "<li><b>{}</b>: {}</li>",
                escaped(&peer.name),
                escaped(&peer.about)
            );
        }
        for peer in &self.absent {
            page += &format!(
                "<li><b>{}</b> is absent: {}</li>",
                escaped(&peer.name),
                escaped(&peer.about)
            );
        }
        page += "</ul>";
        let mut plots: Vec<(&str, &str)> = self
            .figures
            .iter()
            .map(|f| (&*f.routine, &*f.dtype))
            .collect();
        plots.dedup();
        for (routine, dtype) in plots {
            page += &self.by_size(routine, dtype)?;
        }
        page += &self.roofline()?;
        page += "<table><tr><th>problem<th>who<th>rate<th>ms<th>ours over it</tr>";
        for f in &self.figures {
            let [m, n, k] = f.size;
            let ratio = f.of_ours.map_or(String::new(), |r| r.to_string());
            let wrong = f.wrong.as_ref().map_or(String::new(), |w| {
                format!(" <span class=wrong>{}</span>", escaped(w))
            });
            page += &format!(
                "<tr><td>{} {} {m}×{n}×{k}<td>{}{wrong}<td>{} {}<td>{}<td>{ratio}</tr>",
                f.routine,
                f.dtype,
                escaped(&f.contender),
                f.rate,
                f.unit,
                f.milliseconds
            );
        }
        Ok(page + "</table>")
    }

    /// Rates against the size, a line for each contender. What is not square is left to the table.
    fn by_size(&self, routine: &str, dtype: &str) -> Result<String> {
        let of = |f: &&Figure| f.routine == routine && f.dtype == dtype;
        let figures: Vec<&Figure> = self.figures.iter().filter(of).collect();
        let regular: Vec<&&Figure> = figures
            .iter()
            .filter(|f| f.routine != "gemm" || f.size == [f.size[0]; 3])
            .collect();
        let Some(first) = regular.first() else {
            return Ok(String::new());
        };
        let side = |f: &Figure| f.size[1] as f64;
        let ends = |of: &dyn Fn(&Figure) -> f64| {
            let values = regular.iter().map(|f| of(f));
            values.fold((f64::MAX, 0.0), |(lo, hi): (f64, f64), x| {
                (lo.min(x), hi.max(x))
            })
        };
        let (from, to) = ends(&side);
        let (_, top) = ends(&|f| f.rate.median);
        plot(|root| {
            let mut chart = ChartBuilder::on(&root)
                .caption(
                    format!("{routine} {dtype}, {}", first.unit),
                    ("sans-serif", 18),
                )
                .margin(10)
                .x_label_area_size(35)
                .y_label_area_size(55)
                .build_cartesian_2d((from..to.max(from + 1.0)).log_scale(), 0.0..top * 1.1)?;
            chart
                .configure_mesh()
                .x_desc("n")
                .y_desc(&first.unit)
                .draw()?;
            for (i, peer) in self.peers.iter().enumerate() {
                let points: Vec<(f64, f64)> = regular
                    .iter()
                    .filter(|f| f.contender == peer.name)
                    .map(|f| (side(f), f.rate.median))
                    .collect();
                if points.is_empty() {
                    continue;
                }
                let colour = Palette99::pick(i).to_rgba();
                chart
                    .draw_series(LineSeries::new(points, colour.stroke_width(2)).point_size(3))?
                    .label(&peer.name)
                    .legend(move |(x, y)| {
                        PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2))
                    });
            }
            chart
                .configure_series_labels()
                .background_style(WHITE.mix(0.8))
                .border_style(BLACK)
                .draw()?;
            Ok(())
        })
    }

    /// This library's rates against the work for each byte, under the ceilings that were measured: the
    /// device's own copy, and the fastest of all contenders.
    fn roofline(&self) -> Result<String> {
        let ours = |f: &&Figure| f.of_ours.is_none() && f.flops > 0.0;
        let speed = |f: &Figure| f.flops / f.milliseconds.median / 1e6;
        let points: Vec<(f64, f64)> = self
            .figures
            .iter()
            .filter(ours)
            .map(|f| (f.flops / f.bytes, speed(f)))
            .collect();
        let peak = self
            .figures
            .iter()
            .filter(|f| f.flops > 0.0)
            .map(speed)
            .fold(0.0, f64::max);
        if points.is_empty() || peak <= 0.0 {
            return Ok(String::new());
        }
        let ends = points
            .iter()
            .fold((f64::MAX, 0.0f64), |(lo, hi), p| (lo.min(p.0), hi.max(p.0)));
        let (from, to) = (ends.0 / 2.0, (ends.1 * 2.0).max(2.0 * peak / self.copy));
        let low = points.iter().fold(peak, |lo, p| lo.min(p.1)) / 2.0;
        let roof = |x: f64| (x * self.copy).min(peak);
        let knee = peak / self.copy;
        let line: Vec<(f64, f64)> = [from, knee.clamp(from, to), to]
            .map(|x| (x, roof(x)))
            .into();
        plot(|root| {
            let caption = format!(
                "roofline: {:.0} GB/s, {peak:.0} GFLOP/s (the fastest here)",
                self.copy
            );
            let mut chart = ChartBuilder::on(&root)
                .caption(caption, ("sans-serif", 18))
                .margin(10)
                .x_label_area_size(35)
                .y_label_area_size(55)
                .build_cartesian_2d((from..to).log_scale(), (low..peak * 2.0).log_scale())?;
            chart
                .configure_mesh()
                .x_desc("operations per byte")
                .y_desc("GFLOP/s")
                .draw()?;
            chart.draw_series(LineSeries::new(line, BLACK.stroke_width(2)))?;
            chart.draw_series(points.iter().map(|&p| Circle::new(p, 3, BLUE.filled())))?;
            Ok(())
        })
    }
}

fn plot(draw: impl FnOnce(DrawingArea<SVGBackend<'_>, Shift>) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (900, 380)).into_drawing_area();
    root.fill(&WHITE)?;
    draw(root)?;
    Ok(svg)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The device's own copy, in GB/s read and written.
fn copy_speed(device: &str) -> Result<f64> {
    let ctx = Context::open(device)?;
    let from = Tensor::from_slice(&ctx, &[16 << 20], &data::varied(16 << 20, 1))?;
    let to = Tensor::empty(&ctx, from.dtype(), from.shape())?;
    let bytes = 4 * from.numel() as u64;
    let copy = clocked(|| {
        let (from, to) = (from.buffer().memory(), to.buffer().memory());
        ctx.device().copy(from, 0, to, 0, bytes)?;
        Ok(ctx.device().sync()?)
    });
    let [copy] = interleave(9, [copy])?;
    Ok(2.0 * bytes as f64 / copy.spread().median / 1e9)
}
