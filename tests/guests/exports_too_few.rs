//! Exports `lifecycle` and no task; its manifest declares `text-embedding`.
//!
//! Promise: what a manifest declares, the component has. Expected at load: `admission.task`.

use ampoule_test_guests::export_lifecycle;

export_lifecycle!();
