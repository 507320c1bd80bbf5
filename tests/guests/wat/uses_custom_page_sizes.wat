;; A core module with a memory whose pages are one byte.
;;
;; Promise: what no model needs is switched off. Expected at load: `compile.failed`.
(component
  (core module
    (memory 1 (pagesize 1))))
