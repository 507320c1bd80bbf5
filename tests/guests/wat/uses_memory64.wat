;; A core module with a memory of 64-bit addresses.
;;
;; Promise: what no model needs is switched off. Expected at load: `compile.failed`.
(component
  (core module
    (memory i64 1)))
