//! IDX files.

use super::*;

fn idx(kind: u8, sizes: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, kind, u8::try_from(sizes.len()).expect("few")];
    sizes.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes.extend_from_slice(values);
    bytes
}

/// 20 images of 2 x 2, and their labels, 0 or 1.
fn images() -> (Vec<u8>, Vec<u8>) {
    let values: Vec<u8> = (0..80).map(|i| i * 3).collect();
    let labels: Vec<u8> = (0..20).map(|i| i % 2).collect();
    (idx(8, &[20, 2, 2], &values), idx(8, &[20], &labels))
}

fn idx_settings(folder: &Folder, images: &[u8], labels: &[u8]) -> DataSettings {
    let mut settings = settings(folder.file("images-idx3-ubyte", images), "");
    settings.labels = Some(folder.file("labels-idx1-ubyte", labels));
    settings
}

/// The error of images of these bytes.
fn refused_images(bytes: &[u8]) -> String {
    let folder = Folder::new();
    refused(&idx_settings(&folder, bytes, &images().1))
}

#[test]
fn images_load_with_and_without_gzip() {
    let (images, labels) = images();
    let folder = Folder::new();
    let mut settings = idx_settings(&folder, &images, &labels);
    settings.scaling = Scaling::DivideBy255;
    let plain = load(&settings).expect("good files");
    assert_eq!((plain.train.rows, plain.preprocessing.inputs()), (20, 4));
    assert_eq!(plain.train.features[5], 15.0 / 255.0);
    assert_eq!(plain.train.targets[..3], [0.0, 1.0, 0.0]);
    assert_eq!(plain.preprocessing.classes(), ["0", "1"]);
    assert_eq!(plain.preprocessing.target_names(), ["label"]);
    settings.train = folder.file("images-idx3-ubyte.gz", gzip(&images));
    settings.labels = Some(folder.file("labels.idx.gz", gzip(&labels)));
    assert_eq!(load(&settings).expect("good files").hash, plain.hash);
    let rows = load_rows(&settings.train, settings.labels.as_deref(), &plain.preprocessing);
    assert_eq!(rows.expect("good files"), plain.train);
    let features = load_features(&settings.train, &plain.preprocessing).expect("a good file");
    assert_eq!(features.features, plain.train.features);
    assert_says(
        &load_rows(&settings.train, None, &plain.preprocessing).expect_err("").to_string(),
        &["labels are in a file of their own"],
    );
}

#[test]
fn a_csv_of_as_many_columns_fits_a_model_of_images() {
    let (images, labels) = images();
    let folder = Folder::new();
    let data = load(&idx_settings(&folder, &images, &labels)).expect("good files");
    let file = folder.file("rows.csv", "0,3,6,9\n12,15,18,21\n");
    let rows = load_features(&file, &data.preprocessing).expect("a good file");
    assert_eq!(rows.features, data.train.features[..8]);
}

#[test]
fn every_type_is_read() {
    let folder = Folder::new();
    let labels = images().1;
    let numbers = |kind, values: Vec<u8>| {
        let file = idx(kind, &[20, 1], &values.repeat(20));
        load(&idx_settings(&folder, &file, &labels)).expect("good files").train.features[0]
    };
    assert_eq!(numbers(0x09, (-3_i8).to_be_bytes().to_vec()), -3.0);
    assert_eq!(numbers(0x0b, (-300_i16).to_be_bytes().to_vec()), -300.0);
    assert_eq!(numbers(0x0c, 70_000_i32.to_be_bytes().to_vec()), 70_000.0);
    assert_eq!(numbers(0x0d, 1.5_f32.to_be_bytes().to_vec()), 1.5);
    assert_eq!(numbers(0x0e, (-0.25_f64).to_be_bytes().to_vec()), -0.25);
}

#[test]
fn headers_that_lie_are_refused_by_byte() {
    let (good, _) = images();
    let said = refused_images(&idx(8, &[1 << 20, 1 << 10, 1 << 9], &[1, 2, 3]));
    assert_says(&said, &["images-idx3-ubyte, byte 19", "ends here", "1048576 x 1024 x 512"]);
    assert_says(&refused_images(&idx(8, &[u32::MAX; 9], &[1])), &["byte 4", "more than any file"]);
    assert_says(&refused_images(&good[..good.len() - 5]), &["byte 91", "5 bytes short"]);
    let longer = [good.as_slice(), &[0]].concat();
    assert_says(&refused_images(&longer), &["byte 96", "goes on after the 80 bytes"]);
    assert_says(&refused_images(&gzip(&longer)), &["byte 96", "goes on"]);
    assert_says(&refused_images(&[9, 0, 8, 1]), &["byte 0", "not an IDX file", "09 00"]);
    assert_says(&refused_images(&[0, 0, 7, 1]), &["byte 2", "0x07"]);
    assert_says(&refused_images(&[0, 0, 8, 0]), &["byte 3", "no dimensions"]);
    assert_says(&refused_images(&[0, 0, 8]), &["byte 3", "within"]);
    assert_says(&refused_images(&[0, 0, 8, 3, 0, 0]), &["byte 6", "sizes of its 3"]);
    assert_says(&refused_images(&idx(8, &[0, 2, 2], &[])), &["byte 4", "no rows", "0 x 2 x 2"]);
    assert_says(&refused_images(&[]), &["empty"]);
    let wide = refused_images(&idx(8, &[1, 1 << 20, 1 << 20], &[1]));
    assert_says(&wide, &["byte 8", "1099511627776 values a row", "1000000 is the most"]);
    // The compressed tail that the header does not speak of is not read.
    let bomb = gzip(&idx(8, &[20, 2, 2], &vec![0; 5 << 20]));
    assert_says(&refused_images(&bomb), &["goes on after the 80 bytes"]);
}

#[test]
fn labels_must_fit_their_images() {
    let (images, labels) = images();
    let folder = Folder::new();
    let few = idx(8, &[19], &labels[8..27]);
    let said = refused(&idx_settings(&folder, &images, &few));
    assert_says(&said, &["labels-idx1-ubyte", "19 labels", "images-idx3-ubyte has 20 rows"]);
    let said = refused(&idx_settings(&folder, &images, &images));
    assert_says(&said, &["expected labels", "1 value a row", "found 4"]);
    let mut settings = idx_settings(&folder, &images, &labels);
    settings.labels = None;
    assert_says(&refused(&settings), &["`data.labels`"]);
    let mut settings = idx_settings(&folder, &images, &labels);
    settings.target = vec![ColumnReference::Index(0)];
    assert_says(&refused(&settings), &["`data.target`"]);
    settings.target.clear();
    settings.validation = Portion::File(folder.file("v-idx3-ubyte", &images));
    let other = idx(8, &[20], &[7; 20]);
    settings.validation_labels = Some(folder.file("vl-idx1-ubyte", other));
    assert_says(&refused(&settings), &["vl-idx1-ubyte", "row 0", "no class \"7\"", "0, 1"]);
}
