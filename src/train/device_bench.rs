//! What a device reaches, job or no job: copies, matrix products by tile, overheads.

use serde::Serialize;

use super::rates::{self, Overheads};
use crate::backend::gpu::tile::{self, Class};
use crate::backend::gpu::{Adapter, GpuBackend, GpuOptions};
use crate::backend::{Backend, Clock, DeviceOptions, Listed};
use crate::error::Result;

/// What was measured of a device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceBench {
    /// Bytes a second, read and written, of copies from buffer to buffer that are larger than caches
    /// hold.
    pub bytes_per_second: f64,
    /// Rows, columns and depth of the matrix product.
    pub product_size: usize,
    /// The product with each tile that the adapter can run and that is worth a try on its class, the
    /// quickest first; with the only way that there is on the CPU.
    pub products: Vec<ProductRate>,
    /// Calls, submits, readbacks.
    pub overheads: Overheads,
    /// What measured the products.
    pub clock: Clock,
}

/// The matrix product cut up in one way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProductRate {
    /// The tile; none on the CPU.
    pub tile: Option<String>,
    /// Operations a second.
    pub flops_per_second: f64,
}

/// Measures a device: some seconds of its time.
///
/// # Errors
/// Those of the device.
pub fn bench(device: &Listed) -> Result<DeviceBench> {
    let backend = device.open(DeviceOptions::default())?;
    let size = rates::product_size(backend.device());
    let (mut products, clock) = match &device.adapter {
        None => product(backend.as_ref(), size, None)?,
        Some(adapter) => products(adapter, size)?,
    };
    products.sort_by(|a, b| b.flops_per_second.total_cmp(&a.flops_per_second));
    Ok(DeviceBench {
        bytes_per_second: rates::measure_bandwidth(backend.as_ref())?,
        product_size: size,
        products,
        overheads: rates::measure_overheads(backend.as_ref())?,
        clock,
    })
}

/// The product with each tile of the adapter's class.
fn products(adapter: &Adapter, size: usize) -> Result<(Vec<ProductRate>, Clock)> {
    let class = Class::of(&adapter.description, &adapter.facts);
    let (mut all, mut clock) = (Vec::new(), Clock::Host);
    for tile in tile::candidates(class).into_iter().filter(|tile| tile.fits(&adapter.facts)) {
        let options = GpuOptions { tile: Some(tile), ..GpuOptions::default() };
        let backend = GpuBackend::new(adapter, options)?;
        let (rates, measured_by) = product(&backend, size, Some(tile.to_string()))?;
        all.extend(rates);
        clock = measured_by;
    }
    Ok((all, clock))
}

fn product(
    backend: &dyn Backend,
    size: usize,
    tile: Option<String>,
) -> Result<(Vec<ProductRate>, Clock)> {
    let (flops_per_second, clock) = rates::measure_product(backend, size)?;
    Ok((vec![ProductRate { tile, flops_per_second }], clock))
}
