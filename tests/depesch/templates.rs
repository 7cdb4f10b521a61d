//! The built-in templates on the samples: what readers get.

use crate::support::samples::{ALL, Reader, prepared, release};

#[test]
fn every_sample_renders_in_all_parts() {
    for name in ALL {
        let personal = prepared(&release(name)).for_recipient(&Reader::default().recipient()).unwrap();
        if let Some(folder) = option_env!("DEPESCH_SAMPLES_OUT") {
            std::fs::write(format!("{folder}/{name}.txt"), personal.text()).unwrap();
            std::fs::write(format!("{folder}/{name}.html"), personal.html()).unwrap();
        }
    }
}
