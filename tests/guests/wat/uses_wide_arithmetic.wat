;; A core module that adds numbers of 128 bits.
;;
;; Promise: what no model needs is switched off. Expected at load: `compile.failed`.
(component
  (core module
    (func (export "add") (param i64 i64 i64 i64) (result i64 i64)
      (i64.add128 (local.get 0) (local.get 1) (local.get 2) (local.get 3)))))
