;; A core module that throws an exception.
;;
;; Promise: what no model needs is switched off. Expected at load: `compile.failed`.
(component
  (core module
    (tag $oops)
    (func (export "throw") (throw $oops))))
