//! A source as naga validates it, and as it is written for each driver.

use std::collections::BTreeSet;

use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

/// A module with cooperative matrices needs nothing else of a subgroup.
pub fn capabilities(cooperative: bool) -> Capabilities {
    let of_subgroups =
        if cooperative { Capabilities::COOPERATIVE_MATRIX } else { Capabilities::SUBGROUP };
    let numbers = Capabilities::SHADER_FLOAT16 | Capabilities::SHADER_INT64;
    Capabilities::default() | of_subgroups | numbers
}

pub fn validate(source: &str) -> Result<(naga::Module, ModuleInfo), String> {
    let module =
        naga::front::wgsl::parse_str(source).map_err(|error| error.emit_to_string(source))?;
    let info = Validator::new(ValidationFlags::all(), capabilities(is_cooperative(source)))
        .validate(&module)
        .map_err(|error| error.emit_to_string(source))?;
    Ok((module, info))
}

pub fn is_cooperative(source: &str) -> bool {
    source.contains("enable wgpu_cooperative_matrix;\n")
}

/// What a cooperative tile's Metal must call.
pub const SIMDGROUP: [&str; 3] =
    ["simdgroup_load(", "simdgroup_multiply_accumulate(", "simdgroup_store("];

/// `OpCooperativeMatrix{Load,Store,MulAdd}KHR`.
pub const COOPERATIVE_OPERATIONS: [u32; 3] = [4457, 4458, 4459];

/// The operations of a SPIR-V module.
pub fn operations(words: &[u32]) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut at = 5;
    while at < words.len() {
        found.insert(words[at] & 0xffff);
        at += (words[at] >> 16).max(1) as usize;
    }
    found
}

pub fn translate(source: &str) -> Result<(), String> {
    use naga::back::{hlsl, msl, spv};
    let (module, info) = validate(source)?;
    let entry = spv::PipelineOptions {
        shader_stage: naga::ShaderStage::Compute,
        entry_point: "main".to_owned(),
    };
    // What wgpu writes for Vulkan 1.3.
    let options = spv::Options { lang_version: (1, 6), ..spv::Options::default() };
    let words = spv::write_vec(&module, &info, &options, Some(&entry))
        .map_err(|error| format!("SPIR-V: {error}"))?;
    let cooperative = is_cooperative(source);
    // The first Metal with simdgroup_matrix.
    let lang_version = if cooperative { (2, 3) } else { msl::Options::default().lang_version };
    let options =
        msl::Options { fake_missing_bindings: true, lang_version, ..msl::Options::default() };
    let (metal, _) = msl::write_string(&module, &info, &options, &msl::PipelineOptions::default())
        .map_err(|error| format!("MSL: {error}"))?;
    let operations = operations(&words);
    if SIMDGROUP.iter().any(|call| metal.contains(call) != cooperative)
        || COOPERATIVE_OPERATIONS.iter().any(|code| operations.contains(code) != cooperative)
    {
        return Err(format!("cooperative matrices, and not in a tile of them: {metal}"));
    }
    // DX12 has none: wgpu does not offer the feature there.
    if cooperative {
        return Ok(());
    }
    let mut direct = String::new();
    // 16-bit floats came with shader model 6.2.
    let options = hlsl::Options {
        fake_missing_bindings: true,
        shader_model: hlsl::ShaderModel::V6_2,
        ..hlsl::Options::default()
    };
    hlsl::Writer::new(&mut direct, &options, &hlsl::PipelineOptions::default())
        .write(&module, &info, None)
        .map_err(|error| format!("HLSL: {error}"))?;
    if words.is_empty() || metal.is_empty() || direct.is_empty() {
        return Err("written as nothing".to_owned());
    }
    Ok(())
}
